//! Masks: which fields a call is about.

use prost_types::FieldMask;
use rapport_api::profiles::v1::Profile;
use rapport_kernel::Violations;

use super::add;

/// The paths a mask may hold.
const MOST: usize = 100;

/// Notes paths of an update's mask that name no field which can be updated.
pub fn check(mask: Option<&FieldMask>, known: &[&str], out: &mut Violations) {
    let paths = mask.map_or(&[][..], |mask| &mask.paths);
    if paths.len() > MOST {
        add(out, "update_mask", "repeated.max_items", "must name at most 100 fields");
    }
    for (at, _) in paths.iter().enumerate().take(MOST).filter(|(_, path)| !known.contains(&path.as_str())) {
        let text = format!("must be one of {}", known.join(", "));
        add(out, &format!("update_mask.paths[{at}]"), "field_mask.known", text);
    }
}

/// Whether a mask is about a field; one that names none is about `otherwise`.
#[must_use]
pub fn names(mask: Option<&FieldMask>, field: &str, otherwise: bool) -> bool {
    match mask {
        Some(mask) if !mask.paths.is_empty() => mask.paths.iter().any(|path| path == field),
        _ => otherwise,
    }
}

/// A field of the profile: its name, and what empties it.
type Field = (&'static str, fn(&mut Profile));

const FIELDS: &[Field] = &[
    ("customer_id", |it| it.customer_id.clear()),
    ("revision", |it| it.revision = 0),
    ("etag", |it| it.etag.clear()),
    ("party", |it| it.party = 0),
    ("identifiers", |it| it.identifiers.clear()),
    ("traits", |it| it.traits.clear()),
    ("consents", |it| it.consents.clear()),
    ("records", |it| it.records.clear()),
    ("create_time", |it| it.create_time = None),
    ("update_time", |it| it.update_time = None),
    ("restrictions", |it| it.restrictions.clear()),
    ("preferences", |it| it.preferences = None),
    ("flags", |it| it.flags.clear()),
];

const TRAIT: &str = "traits.";

/// Notes paths of a read's mask that name no field of a profile.
pub fn check_read(mask: Option<&FieldMask>, out: &mut Violations) {
    let paths = mask.map_or(&[][..], |mask| &mask.paths);
    if paths.len() > MOST {
        add(out, "read_mask", "repeated.max_items", "must name at most 100 fields");
    }
    let known = |path: &str| FIELDS.iter().any(|(name, _)| *name == path) || path.starts_with(TRAIT);
    for (at, _) in paths.iter().enumerate().take(MOST).filter(|(_, path)| !known(path)) {
        let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
        let text = format!("must be one of {}, or traits.<name>", names.join(", "));
        add(out, &format!("read_mask.paths[{at}]"), "field_mask.known", text);
    }
}

/// The profile with the fields that a mask names; one that names none is about all.
#[must_use]
pub fn read(mut profile: Profile, mask: Option<&FieldMask>) -> Profile {
    let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else { return profile };
    let whole = |name: &str| mask.paths.iter().any(|path| path == name);
    let asked = |name: &str| mask.paths.iter().any(|path| path.strip_prefix(TRAIT) == Some(name));
    if !whole("traits") {
        profile.traits.retain(|name, _| asked(name));
    }
    for (_, empty) in FIELDS.iter().filter(|(name, _)| *name != "traits" && !whole(name)) {
        empty(&mut profile);
    }
    profile
}
