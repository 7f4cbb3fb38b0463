//! The keys of a data folder: made at its first start, kept in a file that only its owner can read, and loaded as the
//! lowest layer of the configuration. So page tokens and internal tokens outlive a restart.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rapport_kernel::{Fault, Reason};

/// The file of keys in a data folder; both are made where they are not there.
///
/// # Errors
/// INVALID_ARGUMENT where the folder cannot be written.
pub fn file(data: &Path) -> Result<PathBuf, Fault> {
    let refused = |why: std::io::Error| Fault::new(Reason::InvalidField, format!("{}: {why}", data.display()));
    fs::create_dir_all(data).map_err(refused)?;
    let path = data.join("keys.toml");
    if !path.exists() {
        let key = || BASE64.encode(rand::random::<[u8; 32]>());
        let text = format!(
            "# Made at the first start. Secret.\n[platform.keys]\npage = \"{}\"\nsigning = \"{}\"\n",
            key(),
            key()
        );
        // Written aside and renamed: a start that is cut off leaves no half file.
        let aside = data.join("keys.toml.new");
        private(&aside)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .map_err(refused)?;
        fs::rename(&aside, &path).map_err(refused)?;
    }
    Ok(path)
}

fn private(path: &Path) -> std::io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
