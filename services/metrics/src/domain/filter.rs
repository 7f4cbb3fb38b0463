//! Filters: conditions over the dimensions of facts. Each set of dimensions is asked once, not each fact.

use std::collections::BTreeMap;

use rapport_conditions::{Activation, CompileErrors, Environment, Map, Program, Type, Value};
use rapport_kernel::Timestamp;

use super::dimensions::{Dimension, Dimensions};

/// The variable under which traits stand; it comes after the dimensions.
const TRAIT: usize = Dimension::ALL.len();

/// A compiled filter.
#[derive(Clone, Debug)]
pub struct Filter(Program);

impl Filter {
    /// Compiles a filter: `channel == "web" && trait.city == "Iasi"`. It cannot depend on when it is asked.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn compile(source: &str) -> Result<Self, CompileErrors> {
        let builder = Dimension::ALL
            .into_iter()
            .fold(Environment::builder(), |builder, dimension| builder.variable(dimension.name(), Type::String));
        let environment = builder.variable("trait", Type::map(Type::String)).without_now().build();
        environment.compile(source, Type::Bool).map(Self)
    }

    /// Whether facts of these dimensions count.
    #[must_use]
    pub fn admits(&self, dimensions: &Dimensions) -> bool {
        let reading = Reading { dimensions, traits: Traits(dimensions.traits()) };
        self.0.matches(&reading, Timestamp::MIN).value
    }

    /// The dimensions it reads.
    pub fn dimensions(&self) -> impl Iterator<Item = Dimension> {
        self.0.inputs().iter().filter_map(|input| Dimension::ALL.get(input.variable).copied())
    }

    /// The traits it reads by name.
    pub fn traits(&self) -> impl Iterator<Item = &str> {
        let inputs = self.0.inputs().iter().filter(|input| input.variable == TRAIT);
        inputs.filter_map(|input| input.path.get(1)).map(String::as_str)
    }
}

struct Reading<'a> {
    dimensions: &'a Dimensions,
    traits: Traits<'a>,
}

impl Activation for Reading<'_> {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        if index == TRAIT {
            return Some(Value::Map(&self.traits));
        }
        Dimension::ALL.get(index).map(|dimension| Value::String(self.dimensions.get(*dimension)))
    }
}

/// The traits of a set. One that is not known is the empty text, as it is in groups, and not an error: so a filter and
/// its opposite divide all facts between them.
struct Traits<'a>(&'a BTreeMap<String, String>);

impl Map for Traits<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn value(&self, key: &str) -> Option<Value<'_>> {
        Some(Value::String(self.0.get(key).map_or("", String::as_str)))
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        self.0.key_after(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_and_its_opposite_divide_all_facts() {
        let here = Dimensions::default().with_traits(BTreeMap::from([("city".to_owned(), "Iasi".to_owned())]));
        let nowhere = Dimensions::default();
        let admitted = |source: &str| {
            let filter = Filter::compile(source).expect("it compiles");
            [filter.admits(&here), filter.admits(&nowhere)]
        };
        assert_eq!(admitted("trait.city == 'Iasi'"), [true, false]);
        assert_eq!(admitted("trait.city != 'Iasi'"), [false, true]);
        assert_eq!(admitted("trait.city == ''"), [false, true]);
        assert_eq!(admitted("channel == '' && type == '' && trait['city'].startsWith('I')"), [true, false]);
    }

    #[test]
    fn a_filter_names_what_it_reads() {
        let filter = Filter::compile("channel in ['web', 'app'] && survey != ''").expect("it compiles");
        assert_eq!(filter.dimensions().collect::<Vec<_>>(), [Dimension::Channel, Dimension::Survey]);
        assert_eq!(filter.traits().count(), 0);
        let filter = Filter::compile("trait.city == 'Iasi' || trait['plan'] == 'gold'").expect("it compiles");
        assert_eq!(filter.traits().collect::<Vec<_>>(), ["city", "plan"]);
    }

    #[test]
    fn a_filter_knows_neither_the_time_nor_other_variables() {
        for source in ["now > timestamp('2024-01-01T00:00:00Z')", "region == 'x'", "channel ==", "channel == 1"] {
            assert!(Filter::compile(source).is_err(), "{source}");
        }
    }
}
