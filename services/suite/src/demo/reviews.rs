//! The demo's reviews: 3,000 real English sentences of reviews of telephones, films and restaurants, each labelled as
//! positive or negative. They come as mentions whose rating is that label, 1 or 0; when they were said is made up. Origin and
//! licence: `tests/real/sentiment`.

use futures::stream;
use indicatif::ProgressBar;
use rapport_api::feedback::v1::mention_service_client::MentionServiceClient;
use rapport_api::feedback::v1::{Mention, MentionKind, MentionRating, RecordMentionsRequest, RecordMentionsResponse};
use serde::Deserialize;
use tonic::Status;

use super::patience::bulk;
use super::synthetic::KNOWN_SINCE;
use crate::client::Client;

/// Where they were said, what of, and the sentences.
const FILES: [(&str, &str, &str); 3] = [
    ("amazon", "telephone", include_str!("../../../../tests/real/sentiment/amazon.json")),
    ("imdb", "film", include_str!("../../../../tests/real/sentiment/imdb.json")),
    ("yelp", "restaurant", include_str!("../../../../tests/real/sentiment/yelp.json")),
];

/// The source name of the reviews.
const SOURCE: &str = "demo_reviews";
/// How far apart they are said to have been said, in seconds: 3,000 of them fill a year and a half, as the purchases do.
const APART: i64 = 15_600;

/// A sentence; the last of each file is empty.
#[derive(Deserialize)]
struct Sentence {
    text: Option<String>,
    class: Option<u8>,
}

/// All reviews, those of the three places by turns.
///
/// # Errors
/// Never, as long as the files are what they are.
pub fn all() -> Result<Vec<Mention>, serde_json::Error> {
    let mut reviews = Vec::new();
    for (turn, (place, product, file)) in (0_i64..).zip(FILES) {
        let sentences: Vec<Sentence> = serde_json::from_str(file)?;
        for (number, sentence) in (0_i64..).zip(sentences) {
            let (Some(text), Some(label)) = (sentence.text, sentence.class) else { continue };
            reviews.push(Mention {
                source: SOURCE.to_owned(),
                external_id: format!("{place}-{number}"),
                version: 1,
                kind: MentionKind::Review.into(),
                place: place.to_owned(),
                product: product.to_owned(),
                rating: Some(MentionRating { value: f64::from(label), min: 0.0, max: 1.0 }),
                text,
                said_at: Some(prost_types::Timestamp { seconds: KNOWN_SINCE + (3 * number + turn) * APART, nanos: 0 }),
                ..Mention::default()
            });
        }
    }
    Ok(reviews)
}

/// Sends them through the bulk call; answers how many there are.
pub async fn tell(client: &Client, bar: &ProgressBar) -> Result<usize, Status> {
    let reviews = all().map_err(|error| Status::internal(error.to_string()))?;
    let count = reviews.len();
    let service = MentionServiceClient::new(client.clone());
    let told = bulk(
        "review",
        bar,
        |answer: RecordMentionsResponse| answer.ack,
        async |done| {
            let rest = reviews[done..].to_vec();
            let items = rest.into_iter().map(|mention| RecordMentionsRequest { mention: Some(mention) });
            service.clone().record_mentions(stream::iter(items)).await
        },
    );
    told.await.map(|_| count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_three_thousand_half_of_them_praise() {
        let reviews = all().expect("they are read");
        assert_eq!(reviews.len(), 3_000);
        let praise = reviews.iter().filter(|review| review.rating.is_some_and(|rating| rating.value > 0.5)).count();
        assert_eq!(praise, 1_500);
    }
}
