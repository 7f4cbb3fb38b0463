//! A Python of the tests' own, with packages from PyPI: clients and implementations that we did not write.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter of a virtual environment that has the packages (as `grpcio==1.76.0`). Made once for each set of
/// packages, beside the build.
///
/// # Panics
/// Where there is no Python 3, or the packages cannot be had: a test never passes by skipping.
#[must_use]
pub fn python(packages: &[&str]) -> PathBuf {
    let built = std::env::current_exe().expect("a running test has a file");
    let target = built.ancestors().nth(3).expect("tests are built into target/<profile>/deps");
    let name: String = packages.join("-").chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let folder = target.join("python").join(name);
    let interpreter = folder.join("bin/python");
    if !folder.join("ready").exists() {
        if !makes_environment(&folder) {
            install_venv();
            assert!(makes_environment(&folder), "python3 -m venv does not work here");
        }
        let mut pip = Command::new(&interpreter);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
        assert!(pip.status().is_ok_and(|status| status.success()), "pip cannot install {packages:?}");
        std::fs::write(folder.join("ready"), "").expect("the folder was just made");
    }
    interpreter
}

fn makes_environment(folder: &Path) -> bool {
    let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder).output();
    made.is_ok_and(|output| output.status.success())
}

/// Debian ships Python without venv; the package manager has it.
fn install_venv() {
    let line = "apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 python3-venv";
    let ran = Command::new("sh").args(["-c", &format!("({line}) || sudo -n sh -c '{line}'")]).output();
    assert!(ran.is_ok_and(|output| output.status.success()), "Python 3 with venv is needed; install it with: {line}");
}
