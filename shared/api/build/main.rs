//! Builds the crate from the contract: messages and services (prost, tonic), the checks of its `buf.validate` rules,
//! and its access policy. Needs no protoc: protox is a protobuf compiler in Rust.

mod names;
mod policy;
mod rules;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message as _;
use prost_reflect::DescriptorPool;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new("../../proto").canonicalize()?;
    println!("cargo::rerun-if-changed={}", root.display());
    println!("cargo::rerun-if-changed=build");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new([root.clone()])?;
    compiler.include_source_info(true).include_imports(true).open_files(ours(&root.join("rapport"))?)?;
    // Long work is followed by Google's own service.
    compiler.open_file(root.join("google/longrunning/operations.proto"))?;
    let bytes = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptor_set.bin"), &bytes)?;
    let pool = DescriptorPool::decode(bytes.as_slice())?;

    // Code is made for every file; of Google's packages the crate includes type, rpc and longrunning.
    let mut config = prost_build::Config::new();
    // The result of long work travels in an Any, which names its type.
    config.enable_type_names().type_name_domain(["."], "type.googleapis.com");
    tonic_prost_build::configure()
        .codec_path("crate::codec::Codec")
        // Maps in key order, so that the same message is the same bytes.
        .btree_map(".")
        // Far larger than what else an item may be.
        .boxed(".rapport.profiles.v1.RecordInteractionsRequest.item.interaction")
        .boxed(".rapport.feedback.v1.PushTicketsRequest.item.push")
        .boxed(".rapport.feedback.v1.PushTicketsRequest.item.message")
        // Messages carry personal data: none can be printed. `rules` gives each a Debug that names its type only.
        .skip_debug(["."])
        // The one large payload: without this every event would be as large in memory.
        .boxed(".rapport.events.v1.ProfileChanged.context")
        .boxed(".rapport.events.v1.Event.payload.ticket_changed")
        .emit_rerun_if_changed(false)
        .compile_fds_with_config(tonic_prost_build::FileDescriptorSet::decode(bytes.as_slice())?, config)?;

    fs::write(out.join("rules.rs"), rules::generate(&pool)?)?;
    fs::write(out.join("policy.rs"), policy::generate(&pool)?)?;
    fs::write(out.join("modules.rs"), modules(&pool))?;
    Ok(())
}

/// All of our proto files, in a stable order.
fn ours(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(ours(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The module tree: one module for each package of ours, as `profiles::v1`.
fn modules(pool: &DescriptorPool) -> String {
    let packages: BTreeSet<_> =
        pool.files().map(|file| file.package_name().to_owned()).filter(|name| name.starts_with("rapport.")).collect();
    packages
        .iter()
        .map(|package| {
            let area = package.trim_start_matches("rapport.").trim_end_matches(".v1");
            format!(
                "/// Package `{package}`.\npub mod {area} {{\n    /// Version 1.\n    pub mod v1 {{\n        \
                 tonic::include_proto!(\"{package}\");\n    }}\n}}\n"
            )
        })
        .collect()
}
