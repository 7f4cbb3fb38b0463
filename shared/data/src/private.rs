//! Files that nobody but the service's own user may read: a database holds personal data.

use std::fs::{DirBuilder, File, OpenOptions};
#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rapport_kernel::Fault;

/// Makes a folder where it is missing. The rights of one that is there are its owner's business.
pub(crate) fn folder(path: &Path) -> Result<(), Fault> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    folder.mode(0o700);
    folder.create(path).map_err(Fault::internal)
}

/// Opens a file to write, and makes it where it is missing; what it holds stays.
pub(crate) fn file(path: &Path) -> Result<File, Fault> {
    let mut file = OpenOptions::new();
    file.write(true).create(true).truncate(false);
    #[cfg(unix)]
    file.mode(0o600);
    file.open(path).map_err(Fault::internal)
}
