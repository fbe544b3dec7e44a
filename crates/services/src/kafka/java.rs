//! Java: found, and called with the broker's jars.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use headwater_core::{Error, Result};

use super::install::{libs, version_dir};

/// The oldest Java that runs the broker.
const OLDEST: u32 = 17;

/// A `java` that is new enough, and what it is given.
#[derive(Clone, Debug)]
pub struct Java {
    program: PathBuf,
    libs: PathBuf,
    /// Classes as they look once loaded, if that was prepared: see [`warm_up`](super::warm_up).
    archive: PathBuf,
}

impl Java {
    /// The `java` of `JAVA_HOME` or of the `PATH`, and the jars, which may be fetched.
    ///
    /// # Errors
    /// Config: Java is missing or too old, or Maven is missing. Transient: the jars could not be
    /// fetched.
    pub fn find() -> Result<Java> {
        // Asked once per process, as it takes a moment.
        static FOUND: OnceLock<std::result::Result<(PathBuf, String), String>> = OnceLock::new();
        let (program, version) = FOUND.get_or_init(find).clone().map_err(|why| {
            Error::config(format!("kafka needs Java {OLDEST} or newer: {why}"))
                .hint("install a JDK or JRE, and set JAVA_HOME if it is not on the PATH")
        })?;
        let archive = version_dir()?.join(format!("classes-java-{version}.jsa"));
        Ok(Java { program, libs: libs()?, archive })
    }

    /// Where prepared classes are or could be.
    pub fn archive(&self) -> &Path {
        &self.archive
    }

    /// `java` with the broker's jars, run in that folder.
    pub fn command(&self, dir: &Path, heap_mib: u32, options: &[String]) -> Command {
        let mut classes = self.libs.clone().into_os_string();
        classes.push("/*");
        let mut command = Command::new(&self.program);
        command.current_dir(dir).arg(format!("-Xmx{heap_mib}m"));
        // The collector and compiler that cost least while starting.
        command.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.args(["-Djava.awt.headless=true", "-Dlog4j2.configurationFile=log4j2.properties"]);
        if fs::metadata(&self.archive).is_ok_and(|archive| archive.len() > 0) {
            // If it does not suit, Java goes on without.
            let mut option = std::ffi::OsString::from("-XX:SharedArchiveFile=");
            option.push(&self.archive);
            command.arg("-Xshare:auto").arg(option);
        }
        command.args(options).arg("-cp").arg(classes);
        command
    }

    /// The `keytool` beside it.
    pub fn keytool(&self) -> Command {
        Command::new(self.program.with_file_name("keytool"))
    }
}

/// Its path, and its version as it says it.
fn find() -> std::result::Result<(PathBuf, String), String> {
    let home = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
    let program = home.map_or("java".into(), |home| PathBuf::from(home).join("bin/java"));
    let output = Command::new(&program).arg("-version").output();
    let shown = program.display();
    let output = output.map_err(|e| format!("cannot run {shown}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    match version(&text) {
        Some((major, version)) if major >= OLDEST => Ok((program, version)),
        Some((major, _)) => Err(format!("{shown} is Java {major}")),
        None => Err(format!("{shown} does not say its version")),
    }
}

/// `openjdk version "17.0.15" 2025-04-15` is 17, and `17.0.15`, fit for the name of a file.
fn version(text: &str) -> Option<(u32, String)> {
    let (version, _) = text.split_once("version \"")?.1.split_once('"')?;
    let major = version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    Some((major, version.chars().map(plain).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let found = |text| version(text).map(|(major, version)| format!("{major} {version}"));
        let modern = "openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment";
        assert_eq!(found(modern).unwrap(), "17 17.0.15");
        assert_eq!(found("java version \"1.8.0_412\"").unwrap(), "1 1.8.0-412");
        assert_eq!(found("openjdk version \"25\" 2025-09-16").unwrap(), "25 25");
        assert_eq!(found("openjdk version \"../17\""), None);
        assert_eq!(found("command not found"), None);
    }
}
