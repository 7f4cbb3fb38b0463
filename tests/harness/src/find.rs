//! Finds the servers' binaries, and installs what is missing: a test that cannot run must say so, not pass.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A server the harness can start: what its binary may be called and which package brings it.
pub(crate) struct Software {
    names: &'static [&'static str],
    /// The package on Debian, Fedora, Alpine and Homebrew.
    packages: [&'static str; 4],
}

pub(crate) const POSTGRES: Software =
    Software { names: &["postgres"], packages: ["postgresql", "postgresql-server", "postgresql", "postgresql@17"] };
pub(crate) const REDIS: Software =
    Software { names: &["redis-server", "valkey-server"], packages: ["redis-server", "redis", "redis", "redis"] };

/// Installs without starting a service or making Debian's default cluster; leaves the machine's own policy alone.
const APT: &str = r#"
set -e
export DEBIAN_FRONTEND=noninteractive
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
  mkdir -p /etc/postgresql-common
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
fi
apt-get update -qq || true
apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$1"
"#;

impl Software {
    /// The folder and path of the binary, which is installed first where it is missing and that is allowed.
    ///
    /// # Panics
    /// Where there is none and none can be installed, with the line to run.
    pub(crate) fn binary(&self) -> PathBuf {
        if let Some(found) = self.find(&folders()) {
            return found;
        }
        let asked = self.install();
        self.find(&folders()).unwrap_or_else(|| {
            panic!("{} is needed and was not found ({asked}); install it with: {}", self.names[0], self.line_to_run())
        })
    }

    fn find(&self, folders: &[PathBuf]) -> Option<PathBuf> {
        let mut paths = folders.iter().flat_map(|folder| self.names.iter().map(move |name| folder.join(name)));
        paths.find(|path| path.is_file())
    }

    /// Tries to install; answers what came of it, for the message.
    fn install(&self) -> String {
        if !on_path("apt-get") {
            return "the harness installs by apt-get only".to_owned();
        }
        let quiet =
            |command: &mut Command| command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        let mut command = if root {
            Command::new("sh")
        } else if quiet(Command::new("sudo").args(["-n", "true"])).is_ok_and(|status| status.success()) {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "sh"]);
            sudo
        } else {
            return "neither root nor sudo without a password".to_owned();
        };
        let package = self.packages[0];
        eprintln!("installing {package}, which the tests need");
        match command.args(["-c", APT, "install", package]).stdin(Stdio::null()).output() {
            Ok(done) if done.status.success() => "its package was installed and did not bring it".to_owned(),
            Ok(done) => format!("installing failed: {}", String::from_utf8_lossy(&done.stderr).trim()),
            Err(why) => format!("installing failed: {why}"),
        }
    }

    fn line_to_run(&self) -> String {
        let managers = ["sudo apt-get install -y", "sudo dnf install -y", "sudo apk add", "brew install"];
        let programs = ["apt-get", "dnf", "apk", "brew"];
        let here = programs.iter().position(|program| on_path(program)).unwrap_or(0);
        format!("{} {}", managers[here], self.packages[here])
    }
}

/// Where servers are found: PATH, and the places where packages put them without adding them to PATH.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    for parent in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        let versions = std::fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
        let mut versions: Vec<_> = versions.collect();
        // The newest first.
        versions.sort_by(|a, b| b.cmp(a));
        folders.extend(versions);
    }
    folders.extend(["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/pgsql/bin"].map(PathBuf::from));
    folders
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_binary_is_answered_with_the_line_to_run() {
        assert_eq!(POSTGRES.find(&[PathBuf::from("/nonexistent")]), None);
        let line = POSTGRES.line_to_run();
        assert!(line.contains("postgresql") && line.contains("install"), "{line}");
    }

    #[test]
    fn the_installing_script_is_sound_shell() {
        let checked = Command::new("sh").args(["-n", "-c", APT]).status().expect("sh runs");
        assert!(checked.success());
    }

    #[test]
    fn both_servers_are_found() {
        for software in [POSTGRES, REDIS] {
            assert!(software.binary().is_file());
        }
    }
}
