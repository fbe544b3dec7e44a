//! `job.json`: whose directory this is; written once, by the first attempt.

use bytes::Bytes;
use headwater_core::{Error, ProcessingTime, Result};
use serde::{Deserialize, Serialize};

use super::{AttemptStart, names};
use crate::location::Location;
use crate::manifest::Manifest;
use crate::{crash_point, envelope};

const KIND: &str = "job";
const FORMAT: u32 = 1;

/// What is fixed for the life of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFile {
    /// The job's name.
    pub name: String,
    /// Number of key groups.
    pub max_parallelism: u16,
    /// When the first attempt started, by its clock.
    pub created: ProcessingTime,
    /// The incarnation of the first attempt; tells apart jobs that have the same name.
    pub id: String,
}

impl JobFile {
    /// Reads the file; `None` if no attempt has ever started here.
    ///
    /// # Errors
    /// Kind `State` if it is damaged; otherwise the storage's error.
    pub fn read(location: &Location) -> Result<Option<JobFile>> {
        let full = location.full_name(names::JOB);
        match location.get(names::JOB)? {
            Some(bytes) => envelope::open_json(KIND, FORMAT, &full, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Writes the file if there is none, and checks that it is that of the attempt's job.
    pub(super) fn claim(location: &Location, start: &AttemptStart) -> Result<()> {
        let ours = JobFile {
            name: start.job.clone(),
            max_parallelism: start.max_parallelism,
            created: start.now,
            id: start.incarnation.clone(),
        };
        if ours.create(location)? {
            return Ok(());
        }
        let there = Self::read(location)?.unwrap_or(ours);
        if there.name != start.job {
            return Err(Error::config(format!(
                "checkpoint location \"{location}\" belongs to job \"{}\", this is job \"{}\"",
                there.name, start.job
            ))
            .hint("give each job a location of its own, or use the job's former name"));
        }
        if there.max_parallelism != start.max_parallelism {
            return Err(Error::config(format!(
                "job \"{}\" has max_parallelism {}, this attempt asks for {}",
                there.name, there.max_parallelism, start.max_parallelism
            ))
            .hint("it is fixed for the life of a job: set it to the former value"));
        }
        Ok(())
    }

    /// Writes the file again from a manifest, for repair; `false` if it is there.
    pub(super) fn recreate(location: &Location, manifest: &Manifest) -> Result<bool> {
        let file = JobFile {
            name: manifest.job.clone(),
            max_parallelism: manifest.max_parallelism,
            created: manifest.created,
            id: manifest.incarnation.clone(),
        };
        file.create(location)
    }

    fn create(&self, location: &Location) -> Result<bool> {
        crash_point("job.before-write");
        let bytes = Bytes::from(envelope::seal_json(KIND, FORMAT, self)?);
        let created = location.put_if_absent(names::JOB, bytes.into())?;
        crash_point("job.after-write");
        Ok(created)
    }
}
