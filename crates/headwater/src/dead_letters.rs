//! Where refused records go when the job does not say: `dead-letters/<job>.jsonl`.
//!
//! A [`DeadLetterFile`] that makes its folder itself, and only when the first letter is written: a
//! job whose records are all good leaves nothing behind.

use std::path::{Path, PathBuf};

use headwater_connect::dead_letters::DeadLetterFile;
use headwater_connect::{Committable, Committer, Guarantee, Sink, Writer, WriterContext};
use headwater_core::{DeadLetter, Epoch, Error, Result};

/// The folder of the default file, below the working directory.
const FOLDER: &str = "dead-letters";

/// See the module documentation.
pub(crate) struct DefaultDeadLetters {
    folder: PathBuf,
    file: DeadLetterFile,
}

impl DefaultDeadLetters {
    /// The file of the job of that name, below the working directory.
    pub(crate) fn of(job: &str) -> Self {
        Self::within(Path::new(FOLDER), job)
    }

    fn within(folder: &Path, job: &str) -> Self {
        let file = DeadLetterFile::new(folder.join(format!("{}.jsonl", file_name(job))));
        DefaultDeadLetters { folder: folder.to_owned(), file }
    }
}

/// A job's name as a file name: what is not a letter, digit, `.`, `_` or `-` becomes `-`.
fn file_name(job: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = job.chars().map(plain).collect();
    match name.trim_start_matches('.') {
        "" => "job".to_owned(),
        visible => visible.to_owned(),
    }
}

impl Sink for DefaultDeadLetters {
    type Record = DeadLetter;

    fn validate(&self) -> Result<()> {
        if self.folder.exists() {
            return self.file.validate();
        }
        Ok(())
    }

    fn guarantee(&self) -> Guarantee {
        self.file.guarantee()
    }

    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn Writer<DeadLetter>>> {
        self.file.writer(cx)
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        let folder = self.folder.clone();
        let made = |file| Box::new(MakesFolder { folder, file }) as Box<dyn Committer>;
        Ok(self.file.committer()?.map(made))
    }
}

struct MakesFolder {
    folder: PathBuf,
    file: Box<dyn Committer>,
}

impl MakesFolder {
    fn prepare(&self, committables: &[Committable]) -> Result<()> {
        if committables.iter().all(Vec::is_empty) {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder).map_err(|e| {
            let folder = self.folder.display();
            Error::connector(format!("dead letters: cannot make the folder \"{folder}\""))
                .because(e)
                .hint("give the job another place with job.dead_letters(…)")
        })
    }
}

impl Committer for MakesFolder {
    fn commit(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        self.prepare(committables)?;
        self.file.commit(epoch, committables)
    }

    fn recover(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        self.prepare(committables)?;
        self.file.recover(epoch, committables)
    }
}

#[cfg(test)]
mod tests {
    use headwater_connect::Wake;
    use headwater_core::{EventTime, Timed};

    use super::*;

    #[test]
    fn the_folder_comes_with_the_first_letter() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("dead-letters");
        let sink = DefaultDeadLetters::within(&folder, "orders");
        sink.validate().unwrap();
        let mut committer = sink.committer().unwrap().unwrap();
        committer.recover(Epoch(3), &[]).unwrap();
        committer.commit(Epoch(4), &[Vec::new()]).unwrap();
        assert!(!folder.exists());

        let (name, wake) = ("dead-letters".to_owned(), Wake::none());
        let cx = WriterContext { sink: name, worker: 0, workers: 1, attempt: 1, wake };
        let mut writer = sink.writer(&cx).unwrap();
        let letter = DeadLetter::new("orders", "line 3", "no number", b"{}");
        writer.write(&mut vec![Timed::new(EventTime::MIN, letter)]).unwrap();
        let committables = writer.prepare(Epoch(5)).unwrap();
        committer.commit(Epoch(5), &committables).unwrap();
        let text = std::fs::read_to_string(folder.join("orders.jsonl")).unwrap();
        assert!(text.contains("no number"), "{text}");
        sink.validate().unwrap();
    }

    #[test]
    fn any_job_name_is_a_file_name() {
        assert_eq!(file_name("orders per day"), "orders-per-day");
        assert_eq!(file_name("../../etc/passwd"), "-..-etc-passwd");
        assert_eq!(file_name(".."), "job");
        assert_eq!(file_name(""), "job");
    }
}
