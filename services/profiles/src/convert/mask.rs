//! Masks: which fields an update is about, and which fields of a profile an answer holds. A read's mask works on the encoded
//! message by the contract's own field numbers, so that it knows each field that the contract has, whoever adds it.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use prost_types::{FieldMask, FileDescriptorSet};
use rapport_api::profiles::v1::Profile;
use rapport_kernel::{Fault, Violations};

use super::add;

/// The paths a mask may hold.
const MOST: usize = 100;
/// The rule that a path breaks which names nothing.
const KNOWN: &str = "field_mask.known";

/// Notes paths of an update's mask that name no field which can be updated.
pub fn check(mask: Option<&FieldMask>, known: &[&str], out: &mut Violations) {
    for (at, _) in paths(mask, "update_mask", out).filter(|(_, path)| !known.contains(&path.as_str())) {
        let text = format!("must be one of {}", known.join(", "));
        add(out, &format!("update_mask.paths[{at}]"), KNOWN, text);
    }
}

/// The paths of a mask with their places, as many as it may hold.
fn paths<'a>(
    mask: Option<&'a FieldMask>,
    field: &str,
    out: &mut Violations,
) -> impl Iterator<Item = (usize, &'a String)> + use<'a> {
    let paths = mask.map_or(&[][..], |mask| &mask.paths);
    if paths.len() > MOST {
        add(out, field, "repeated.max_items", "must name at most 100 fields");
    }
    paths.iter().enumerate().take(MOST)
}

/// Whether a mask is about a field; one that names none is about `otherwise`.
#[must_use]
pub fn names(mask: Option<&FieldMask>, field: &str, otherwise: bool) -> bool {
    match mask {
        Some(mask) if !mask.paths.is_empty() => mask.paths.iter().any(|path| path == field),
        _ => otherwise,
    }
}

/// The fields of a profile: their names and numbers.
#[derive(Clone, Debug)]
pub struct ProfileFields(BTreeMap<String, u32>);

/// The fields that are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// Their numbers; empty: all.
    fields: BTreeSet<u32>,
    /// Of the traits only these; empty: all.
    traits: BTreeSet<String>,
}

impl ProfileFields {
    /// As the contract has them.
    ///
    /// # Errors
    /// Where the contract that is built in is none.
    pub fn of_contract() -> Result<Self, Fault> {
        let set = FileDescriptorSet::decode(rapport_api::DESCRIPTOR_SET).map_err(Fault::internal)?;
        let files = set.file.iter().filter(|file| file.package() == "rapport.profiles.v1");
        let mut messages = files.flat_map(|file| &file.message_type);
        let profile = messages.find(|message| message.name() == "Profile");
        let fields = profile.into_iter().flat_map(|message| &message.field);
        let fields = fields.map(|field| (field.name().to_owned(), field.number().unsigned_abs()));
        Ok(Self(fields.collect()))
    }

    /// Reads a mask; absent or empty it asks for all.
    pub fn mask(&self, message: Option<&FieldMask>, out: &mut Violations) -> Mask {
        let mut mask = Mask::default();
        let (mut whole, mut some) = (false, BTreeSet::new());
        for (at, path) in paths(message, "read_mask", out) {
            let (name, rest) = path.split_once('.').map_or((path.as_str(), None), |(name, rest)| (name, Some(rest)));
            match (self.0.get(name), rest) {
                (Some(number), None) => {
                    mask.fields.insert(*number);
                    whole |= name == "traits";
                }
                (Some(number), Some(of)) if name == "traits" && !of.is_empty() => {
                    mask.fields.insert(*number);
                    some.insert(of.to_owned());
                }
                _ => {
                    let text = "must name a field of a profile, as \"traits\", or one trait, as \"traits.plan\"";
                    add(out, &format!("read_mask.paths[{at}]"), KNOWN, text);
                }
            }
        }
        if !whole {
            mask.traits = some;
        }
        mask
    }
}

impl Mask {
    /// The profile with what is asked for alone.
    ///
    /// # Errors
    /// None: a profile that was just encoded can be decoded.
    pub fn apply(&self, profile: Profile) -> Result<Profile, Fault> {
        if self.fields.is_empty() {
            return Ok(profile);
        }
        let bytes = profile.encode_to_vec();
        let (mut kept, mut rest) = (Vec::with_capacity(bytes.len()), bytes.as_slice());
        while !rest.is_empty() {
            let field = rest;
            let (number, kind) = decode_key(&mut rest).map_err(Fault::internal)?;
            skip_field(kind, number, &mut rest, DecodeContext::default()).map_err(Fault::internal)?;
            if self.fields.contains(&number) {
                kept.extend_from_slice(&field[..field.len() - rest.len()]);
            }
        }
        let mut profile = Profile::decode(kept.as_slice()).map_err(Fault::internal)?;
        if !self.traits.is_empty() {
            profile.traits.retain(|name, _| self.traits.contains(name));
        }
        Ok(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rapport_api::profiles::v1::TraitValue;

    fn mask(paths: &[&str]) -> (Mask, usize) {
        let (fields, mut out) = (ProfileFields::of_contract().expect("the contract"), Violations::new());
        let message = FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() };
        (fields.mask(Some(&message), &mut out), out.count())
    }

    #[test]
    fn what_is_asked_for_alone_is_answered() {
        let traits = ["plan", "city"].map(|name| (name.to_owned(), TraitValue::default()));
        let profile = Profile {
            customer_id: "a".to_owned(),
            revision: 3,
            etag: "3".to_owned(),
            traits: traits.into(),
            ..Profile::default()
        };
        let apply = |paths: &[&str]| mask(paths).0.apply(profile.clone()).expect("it decodes");
        assert_eq!(apply(&[]), profile);
        let some = apply(&["revision", "traits.plan"]);
        assert_eq!((some.customer_id.as_str(), some.revision, some.etag.as_str()), ("", 3, ""));
        assert_eq!(some.traits.keys().collect::<Vec<_>>(), ["plan"]);
        assert_eq!(apply(&["traits.plan", "traits"]).traits.len(), 2);
    }

    #[test]
    fn a_field_that_there_is_not_is_refused() {
        assert_eq!(mask(&["revision", "nothing", "consents.purpose", "", "traits."]).1, 4);
    }
}
