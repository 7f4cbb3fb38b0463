//! Pages by keyset: a page starts after the last row of the one before, however many rows come or go meanwhile.

/// A page never holds more bytes than this and one item: an answer must fit a message.
pub const MOST_BYTES: usize = 2 * 1024 * 1024;

/// A page of items, and where the next one starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The items, in order.
    pub items: Vec<T>,
    /// The cursor of the last item, where more follow.
    pub next: Option<C>,
}

/// How many rows to ask the database for: one more than the page holds tells whether more follow.
#[must_use]
pub fn limit(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX).saturating_add(1)
}

/// Cuts rows (at most [`limit`] of them) to a page of `size` items, or fewer where they weigh too much.
pub fn page<T, C>(rows: Vec<T>, size: usize, bytes: impl Fn(&T) -> usize, cursor: impl Fn(&T) -> C) -> Page<T, C> {
    let (mut items, mut weight, total) = (Vec::new(), 0_usize, rows.len());
    for row in rows {
        if items.len() == size || weight >= MOST_BYTES {
            break;
        }
        weight = weight.saturating_add(bytes(&row));
        items.push(row);
    }
    let next = if items.len() < total { items.last().map(cursor) } else { None };
    Page { items, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_the_next_starts_only_where_there_is_one() {
        assert_eq!(page(vec![1, 2, 3], 2, |_| 1, |n| *n), Page { items: vec![1, 2], next: Some(2) });
        assert_eq!(page(vec![1, 2], 2, |_| 1, |n| *n), Page { items: vec![1, 2], next: None });
        assert_eq!(page(Vec::<i32>::new(), 2, |_| 1, |n| *n), Page { items: vec![], next: None });
    }

    #[test]
    fn a_page_ends_early_where_its_items_are_heavy() {
        let page = page(vec![1, 2, 3], 3, |_| MOST_BYTES, |n| *n);
        assert_eq!(page, Page { items: vec![1], next: Some(1) });
    }
}
