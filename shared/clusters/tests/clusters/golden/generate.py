"""Writes the golden files beside it: data, and what scikit-learn finds in it.

    pip install numpy scikit-learn==1.9.1 && python generate.py

Each file: rows of numbers, and for each k the inertia, labels and silhouette of KMeans(n_init=10), run to its
fixed point, on standardised data.
"""

import json
from pathlib import Path

import numpy
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, make_blobs
from sklearn.metrics import calinski_harabasz_score, silhouette_score
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent


def write(name, rows, truth, counts):
    rows = numpy.round(rows, 4)
    points = StandardScaler().fit_transform(rows)
    found = []
    for count in counts:
        fitted = KMeans(n_clusters=count, n_init=10, tol=0, random_state=0).fit(points)
        found.append(
            {
                "clusters": count,
                "inertia": float(fitted.inertia_),
                "silhouette": float(silhouette_score(points, fitted.labels_)),
                "calinski_harabasz": float(calinski_harabasz_score(points, fitted.labels_)),
                "labels": fitted.labels_.tolist(),
            }
        )
    lines = {"rows": rows.tolist(), "truth": truth.tolist(), "found": found}
    (HERE / f"{name}.json").write_text(json.dumps(lines, separators=(",", ":")) + "\n")


iris = load_iris()
write("iris", iris.data, iris.target, range(2, 7))
blobs, truth = make_blobs(n_samples=600, centers=5, n_features=4, cluster_std=1.2, random_state=11)
# Traits have units of their own.
write("blobs", blobs * [1, 50, 0.01, 1000], truth, range(2, 9))
uneven, truth = make_blobs(n_samples=[400, 120, 60, 20], n_features=3, cluster_std=[1.5, 1.0, 0.8, 0.5], random_state=5)
write("uneven", uneven, truth, range(2, 7))
