//! How prost names things in Rust.

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{EnumDescriptor, FieldDescriptor, MessageDescriptor, OneofDescriptor};

/// The path of a message's type from the crate's root, as `crate::profiles::v1::Profile`.
pub fn message(message: &MessageDescriptor) -> String {
    path(message.parent_file().package_name(), message.name())
}

/// The path of an enum's type.
pub fn enumeration(of: &EnumDescriptor) -> String {
    path(of.parent_file().package_name(), of.name())
}

/// The path of one variant of a oneof.
pub fn variant(oneof: &OneofDescriptor, field: &FieldDescriptor) -> String {
    let parent = oneof.parent_message();
    let module = path(parent.parent_file().package_name(), &identifier(parent.name()));
    format!("{module}::{}::{}", oneof.name().to_upper_camel_case(), field.name().to_upper_camel_case())
}

/// A field's or module's identifier, with keywords made raw.
pub fn identifier(name: &str) -> String {
    let name = name.to_snake_case();
    if ["type", "ref", "match", "use", "move", "where", "in", "as", "fn", "mod", "loop", "enum", "trait"]
        .contains(&name.as_str())
    {
        format!("r#{name}")
    } else {
        name
    }
}

fn path(package: &str, name: &str) -> String {
    let modules: Vec<_> = package.trim_start_matches("rapport.").split('.').map(identifier).collect();
    format!("crate::{}::{name}", modules.join("::"))
}
