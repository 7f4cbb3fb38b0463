//! Which of a customer's tickets are about one issue: a pure function of all of them, so that the order in which they
//! came does not show.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rapport_kernel::Timestamp;
use uuid::Uuid;

use super::held::TicketId;

/// What links a ticket to others.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// The ticket.
    pub id: TicketId,
    /// Its source and its id there, as a hash.
    pub key: Uuid,
    /// Its source.
    pub source: String,
    /// The source's id of the issue; empty: none.
    pub issue: String,
    /// The ticket that it follows up, as a hash.
    pub follows: Option<Uuid>,
    /// Its topic and product.
    pub about: (String, String),
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was last about something; `None` while it is not solved.
    pub until: Option<Timestamp>,
}

/// The issue of each ticket: the id of the first that is about it. Within `window` after the last contact or solution a
/// ticket about the same is a repetition.
#[must_use]
pub fn issues(links: &[Link], window: Duration) -> BTreeMap<TicketId, Uuid> {
    let mut ordered: Vec<&Link> = links.iter().collect();
    ordered.sort_by_key(|link| (link.opened_at, link.key));
    let mut sets = Sets::of(&ordered);
    let mut named: HashMap<(&str, &str), usize> = HashMap::new();
    for (at, link) in ordered.iter().enumerate().filter(|(_, link)| !link.issue.is_empty()) {
        let first = *named.entry((&link.source, &link.issue)).or_insert(at);
        sets.join(first, at);
    }
    let places: HashMap<Uuid, usize> = ordered.iter().enumerate().map(|(at, link)| (link.key, at)).collect();
    for (at, link) in ordered.iter().enumerate() {
        if let Some(before) = link.follows.and_then(|key| places.get(&key)) {
            sets.join(*before, at);
        }
    }
    let mut chains: BTreeMap<&(String, String), (usize, Option<Timestamp>)> = BTreeMap::new();
    let alike = |link: &Link| link.issue.is_empty() && !(link.about.0.is_empty() && link.about.1.is_empty());
    for (at, link) in ordered.iter().enumerate().filter(|(_, link)| alike(link)) {
        let chain = chains.get(&link.about).copied();
        let goes_on = |until: Option<Timestamp>| until.is_none_or(|until| link.opened_at <= until.plus(window));
        let until = match chain.filter(|(_, until)| goes_on(*until)) {
            Some((before, until)) => {
                sets.join(before, at);
                // None: for as long as it is not solved.
                until.zip(link.until).map(|(one, other)| one.max(other))
            }
            None => link.until,
        };
        chains.insert(&link.about, (at, until));
    }
    ordered.iter().enumerate().map(|(at, link)| (link.id, ordered[sets.first(at)].id.uuid())).collect()
}

/// Disjoint sets, each led by its first, which never hold two issues that a source told apart.
struct Sets<'a> {
    parents: Vec<usize>,
    /// The issue that a set is about by its source's word.
    said: Vec<Option<(&'a str, &'a str)>>,
}

impl<'a> Sets<'a> {
    fn of(links: &[&'a Link]) -> Self {
        let said = |link: &&'a Link| (!link.issue.is_empty()).then_some((link.source.as_str(), link.issue.as_str()));
        Self { parents: (0..links.len()).collect(), said: links.iter().map(said).collect() }
    }

    fn first(&mut self, mut at: usize) -> usize {
        while self.parents[at] != at {
            self.parents[at] = self.parents[self.parents[at]];
            at = self.parents[at];
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first(one), self.first(other));
        let (first, second) = (one.min(other), one.max(other));
        match (self.said[first], self.said[second]) {
            // One source told them apart; two sources' issues may well be one.
            (Some(one), Some(other)) if one != other && one.0 == other.0 => {}
            (said, also) => {
                self.parents[second] = first;
                self.said[first] = said.or(also);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400_000_000;
    const WEEK: Duration = Duration::from_secs(7 * 86_400);

    fn link(day: i64, topic: &str) -> Link {
        Link {
            id: TicketId::new(),
            key: Uuid::now_v7(),
            source: "desk".to_owned(),
            issue: String::new(),
            follows: None,
            about: (topic.to_owned(), String::new()),
            opened_at: Timestamp::from_column(day * DAY),
            until: Some(Timestamp::from_column(day * DAY)),
        }
    }

    /// Which of them are about one issue, by their places.
    fn groups(links: &[Link]) -> BTreeSet<BTreeSet<usize>> {
        let issues = issues(links, WEEK);
        let mut groups: BTreeMap<Uuid, BTreeSet<usize>> = BTreeMap::new();
        for (at, link) in links.iter().enumerate() {
            groups.entry(issues[&link.id]).or_default().insert(at);
        }
        groups.into_values().collect()
    }

    fn sets(sets: &[&[usize]]) -> BTreeSet<BTreeSet<usize>> {
        sets.iter().map(|set| set.iter().copied().collect()).collect()
    }

    #[test]
    fn repetitions_within_the_window_of_the_last_are_one_issue() {
        let links = [link(0, "billing"), link(7, "billing"), link(15, "billing"), link(1, "app"), link(2, "")];
        assert_eq!(groups(&links), sets(&[&[0, 1], &[2], &[3], &[4]]));
        assert_eq!(issues(&links, WEEK)[&links[1].id], links[0].id.uuid(), "it is named for the first");
        let mut open = links.clone();
        open[0].until = None;
        assert_eq!(groups(&open), sets(&[&[0, 1, 2], &[3], &[4]]), "as long as it is not solved it goes on");
        let mut other = links;
        other[1].about.1 = "tea".to_owned();
        assert_eq!(groups(&other), sets(&[&[0], &[1], &[2], &[3], &[4]]), "another product is another issue");
    }

    #[test]
    fn what_the_source_says_wins() {
        let mut links = [link(0, "billing"), link(1, "billing"), link(90, "app"), link(2, "app"), link(95, "x")];
        links[0].issue = "INC-1".to_owned();
        links[1].issue = "INC-2".to_owned();
        links[2].issue = "INC-1".to_owned();
        links[4].follows = Some(links[3].key);
        assert_eq!(groups(&links), sets(&[&[0, 2], &[1], &[3, 4]]));
        links[1].follows = Some(links[0].key);
        assert_eq!(groups(&links), sets(&[&[0, 2], &[1], &[3, 4]]), "issues that were told apart stay so");
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_show(
            tickets in proptest::collection::vec((0_i64..40, 0_usize..3, 0_usize..4, 0_usize..8, 0_i64..20), 1..12),
            turn in 0_usize..12
        ) {
            let mut links: Vec<Link> = tickets
                .iter()
                .map(|(day, topic, issue, _, length)| {
                    let mut link = link(*day, ["billing", "app", ""][*topic]);
                    link.issue = ["", "", "INC-1", "INC-2"][*issue].to_owned();
                    link.until = (*length < 18).then(|| Timestamp::from_column((day + length) * DAY));
                    link
                })
                .collect();
            for (at, (.., follows, _)) in tickets.iter().enumerate() {
                links[at].follows = links.get(*follows).map(|link| link.key);
            }
            let told = issues(&links, WEEK);
            links.rotate_left(turn % tickets.len());
            links.reverse();
            prop_assert_eq!(told, issues(&links, WEEK));
        }
    }
}
