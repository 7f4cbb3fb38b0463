//! How long respondents took for questions, as far as that can be told honestly: of a question that stands alone, the time from
//! its showing to its sending; of several on a page what the page's script says, where the browser runs it. Pure: what a
//! browser says is believed only as far as it can be true.

use std::collections::BTreeMap;
use std::time::Duration;

/// Longer than this nobody looks at one question: one was away, and for how long is not known.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// How far two clocks may be apart.
const SLACK: Duration = Duration::from_secs(1);
/// How many questions are read.
const MOST: usize = 100;

/// The time spent on each question of a page: `said` is what the script says (`nps:1200 why:5300`, in milliseconds; empty where none
/// ran), `took` how long the page was out. Where that is not known, nothing is.
#[must_use]
pub fn spent(said: &str, page: &[&str], took: Option<Duration>) -> BTreeMap<String, Duration> {
    let Some(took) = took else { return BTreeMap::new() };
    let mut times = BTreeMap::new();
    for (question, millis) in said.split_ascii_whitespace().take(MOST).filter_map(|one| one.rsplit_once(':')) {
        if let (true, Ok(millis)) = (page.contains(&question), millis.parse::<u32>()) {
            times.insert(question.to_owned(), Duration::from_millis(millis.into()));
        }
    }
    // More than there was, was not spent: then none of it is believed.
    if times.values().sum::<Duration>() > took + SLACK {
        times.clear();
    }
    if let ([alone], true) = (page, times.is_empty()) {
        times.insert((*alone).to_owned(), took);
    }
    times.retain(|_, time| !time.is_zero() && *time <= LONGEST);
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn millis(said: &str, page: &[&str], took: u64) -> Vec<(String, u128)> {
        let times = spent(said, page, Some(Duration::from_millis(took)));
        times.into_iter().map(|(question, time)| (question, time.as_millis())).collect()
    }

    #[test]
    fn a_question_that_stands_alone_took_as_long_as_its_page_and_several_do_not_share_it() {
        assert_eq!(millis("", &["nps"], 4_200), [("nps".to_owned(), 4_200)]);
        assert_eq!(millis("", &["nps", "why"], 4_200), []);
        assert_eq!(millis("", &[], 4_200), []);
        assert!(spent("nps:1000", &["nps"], None).is_empty(), "nobody knows how long it was out");
    }

    #[test]
    fn what_the_script_says_is_told_as_far_as_it_can_be_true() {
        let page = ["nps", "why"];
        assert_eq!(millis("why:3000 nps:1200", &page, 5_000), [("nps".to_owned(), 1_200), ("why".to_owned(), 3_000)]);
        assert_eq!(millis("nps:0 why:1 other:9 :7 nps", &page, 5_000), [("why".to_owned(), 1)]);
        assert_eq!(millis("nps:-5 why:99999999999 nps:x", &page, 5_000), []);
        assert_eq!(millis("nps:4000 why:4000", &page, 5_000), [], "more than there was");
        assert_eq!(millis("nps:9000", &["nps"], 5_000), [("nps".to_owned(), 5_000)], "what is known is told");
        // The script knows when the page was not seen.
        assert_eq!(millis("nps:800", &["nps"], 5_000), [("nps".to_owned(), 800)]);
    }

    #[test]
    fn of_whoever_was_away_no_time_is_known() {
        let away = u64::try_from((LONGEST + SECOND).as_millis()).expect("small");
        assert_eq!(millis("", &["nps"], away), []);
        assert_eq!(millis(&format!("nps:{away} why:5"), &["nps", "why"], away), [("why".to_owned(), 5)]);
    }
}
