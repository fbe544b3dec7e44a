//! The broker's jars: found, or fetched once by Maven.
//!
//! They go to `kafka-VERSION/libs` in the user's cache. A file beside them is locked while they
//! are fetched, so that of two processes one waits; a marker written last says that all are there.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Command;

use headwater_core::{Error, Result};

use crate::stderr::say;

const POM: &str = include_str!("../../kafka/pom.xml");
/// The broker's version, as the pom has it.
pub const VERSION: &str = "4.1.1";
const MARKER: &str = ".complete";

/// Where this user's caches of ours are.
///
/// # Errors
/// Config: the environment names no home.
pub fn cache_dir() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    cache.map(|cache| cache.join("headwater")).ok_or_else(|| {
        Error::config("no folder for caches: neither XDG_CACHE_HOME nor HOME is set")
    })
}

/// Where the jars of this version are, or will be, and what is made from them.
///
/// # Errors
/// Config: the environment names no home.
pub fn version_dir() -> Result<PathBuf> {
    Ok(cache_dir()?.join(format!("kafka-{VERSION}")))
}

/// The broker's jars: those of the cache, or fetched.
///
/// # Errors
/// Config: Maven is missing. Transient: it could not fetch them.
pub fn libs() -> Result<PathBuf> {
    libs_in(&version_dir()?, Path::new("mvn"))
}

fn libs_in(dir: &Path, maven: &Path) -> Result<PathBuf> {
    let libs = dir.join("libs");
    if libs.join(MARKER).exists() {
        return Ok(libs);
    }
    let shown = dir.display();
    let failed = |e: io::Error| Error::config(format!("cannot write to {shown}")).because(e);
    fs::create_dir_all(dir).map_err(failed)?;
    let _lock = lock(dir).map_err(failed)?;
    // Another process may have fetched them while we waited.
    if libs.join(MARKER).exists() {
        return Ok(libs);
    }
    say(&format!("fetching Kafka {VERSION} with Maven, once, into {shown} (about 45 MB)"));
    match fs::remove_dir_all(&libs) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let pom = dir.join("pom.xml");
    fs::write(&pom, POM).map_err(failed)?;
    let mut command = Command::new(maven);
    command.args(["--quiet", "--batch-mode", "--file"]).arg(&pom);
    command.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
    let mut option = std::ffi::OsString::from("-DoutputDirectory=");
    option.push(&libs);
    let output = command.arg(option).output().map_err(|e| {
        Error::config("kafka's jars are fetched with Maven, and `mvn` cannot be run")
            .because(e)
            .hint("install Maven")
    })?;
    if !output.status.success() || !libs.is_dir() {
        let said = String::from_utf8_lossy(&output.stdout);
        let said: Vec<&str> = said.lines().filter(|line| line.contains("ERROR")).take(3).collect();
        let text = format!("Maven could not fetch kafka's jars ({})", output.status);
        return Err(Error::transient(format!("{text}: {}", said.join(" ")))
            .hint(format!("mvn --file {} dependency:resolve", pom.display())));
    }
    File::create(libs.join(MARKER)).map_err(failed)?;
    Ok(libs)
}

/// Keeps other processes from doing the same at the same time; until it is dropped.
///
/// # Errors
/// The folder cannot be written to.
pub fn lock(dir: &Path) -> io::Result<File> {
    let lock = File::create(dir.join("lock"))?;
    lock.lock()?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use headwater_core::ErrorKind;

    use super::*;

    #[test]
    fn the_pom_has_the_version_that_the_folder_is_named_after() {
        assert!(POM.contains(&format!(
            "<artifactId>kafka_2.13</artifactId>\n      <version>{VERSION}</version>"
        )));
    }

    /// A `mvn` that notes each call in the file `calls` beside it.
    fn fake_maven(dir: &Path, does: &str) -> PathBuf {
        let program = dir.join("mvn");
        let script = format!(
            "#!/bin/sh\necho called >>'{0}/calls'\nfor a; do case $a in -DoutputDirectory=*) \
             out=${{a#*=}};; esac; done\n{does}\n",
            dir.display()
        );
        // By another process: a fork of ours, for another test, could keep the file open for writing
        // and so busy.
        let mut write = Command::new("sh");
        write.args(["-c", "printf %s \"$2\" >\"$1\" && chmod +x \"$1\"", "write"]);
        assert!(write.arg(&program).arg(script).status().unwrap().success());
        program
    }

    #[test]
    fn of_many_who_fetch_at_once_one_does() {
        let dir = tempfile::tempdir().unwrap();
        let maven = fake_maven(dir.path(), "sleep 0.2; mkdir \"$out\"; echo jar >\"$out/a.jar\"");
        let cache = dir.path().join("cache");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let libs = libs_in(&cache, &maven).unwrap();
                    assert_eq!(fs::read_to_string(libs.join("a.jar")).unwrap(), "jar\n");
                });
            }
        });
        assert_eq!(fs::read_to_string(dir.path().join("calls")).unwrap(), "called\n");
    }

    #[test]
    fn a_fetch_that_was_cut_off_is_begun_again() {
        let dir = tempfile::tempdir().unwrap();
        let libs = dir.path().join("libs");
        let fails =
            fake_maven(dir.path(), "mkdir \"$out\"; touch \"$out/half\"; echo ERROR no; exit 1");
        let error = libs_in(dir.path(), &fails).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient);
        assert!(error.to_string().ends_with("ERROR no"), "{error}");
        let works = fake_maven(dir.path(), "mkdir \"$out\"; touch \"$out/a.jar\"");
        assert_eq!(libs_in(dir.path(), &works).unwrap(), libs);
        assert!(libs.join("a.jar").exists() && !libs.join("half").exists());
    }

    #[test]
    fn without_maven_the_error_says_what_to_install() {
        let dir = tempfile::tempdir().unwrap();
        let error = libs_in(dir.path(), &dir.path().join("mvn")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.hint_text(), Some("install Maven"));
    }
}
