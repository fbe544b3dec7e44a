//! Where a job's checkpoints live: a small blocking API over an object store.
//!
//! A local directory is the default; `memory:` is for tests; any other [`ObjectStore`] can be
//! brought along. Calls block the calling thread and may come from any thread, also from inside an
//! async runtime: the futures run on a private single-threaded runtime.
//!
//! In a local directory nothing becomes visible under its name before it is on the disk: data is
//! written to `staging/`, synced, then renamed (or hard-linked, for create-if-absent) to its name,
//! and the folder is synced too. What a crash leaves in `staging/` is removed by the next attempt.
//!
//! Errors name the path. A full disk or a failing store is `Transient`; a missing permission or a
//! path that is not a directory is `Config`.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use headwater_core::{Error, Result};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use tokio::runtime::Runtime;

use self::failure::storage_error;
pub use self::growing::GrowingFile;
use self::local::LocalDir;
pub use self::object::Object;
pub use self::upload::Upload;

mod failure;
mod growing;
mod local;
mod object;
mod self_test;
mod upload;

/// A checkpoint directory; clones share it.
///
/// # Examples
/// ```
/// let location = headwater_checkpoint::Location::memory()?;
/// assert!(location.put_if_absent("a/b", "first".into())?);
/// assert!(!location.put_if_absent("a/b", "second".into())?);
/// assert_eq!(location.get("a/b")?.as_deref(), Some(&b"first"[..]));
/// # Ok::<(), headwater_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Location {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn ObjectStore>,
    root: String,
    local: Option<LocalDir>,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its name below the location.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

impl Location {
    /// Opens a directory by path or URL (`file:`, `memory:`) and creates it if it is not there.
    ///
    /// # Errors
    /// Kind `Config` if the URL is not supported, the path is no directory or not accessible.
    pub fn open(url: &str) -> Result<Location> {
        match local::parse_url(url)? {
            Some(path) => Self::local(LocalDir::create(path)?),
            None => Self::memory(),
        }
    }

    /// Opens a directory that must be there, without writing to it.
    ///
    /// # Errors
    /// As [`Location::open`], and kind `Config` if there is no such directory.
    pub fn open_existing(url: &str) -> Result<Location> {
        match local::parse_url(url)? {
            Some(path) => Self::local(LocalDir::existing(path)?),
            None => Self::memory(),
        }
    }

    /// A new, empty location in memory; keep a clone to open it again.
    ///
    /// # Errors
    /// Kind `Internal` if the private runtime cannot be started.
    pub fn memory() -> Result<Location> {
        Self::from_store(Arc::new(InMemory::new()), "memory:")
    }

    /// A location in any object store, with the name to show in messages.
    ///
    /// # Errors
    /// Kind `Internal` if the private runtime cannot be started.
    pub fn from_store(store: Arc<dyn ObjectStore>, root: impl Into<String>) -> Result<Location> {
        Self::build(store, root.into(), None)
    }

    fn local(dir: LocalDir) -> Result<Location> {
        let store = LocalFileSystem::new_with_prefix(dir.root())
            .map_err(|e| storage_error("open", &dir.root().display().to_string(), e))?;
        let root = dir.root().display().to_string();
        Self::build(Arc::new(store), root, Some(dir))
    }

    fn build(
        store: Arc<dyn ObjectStore>,
        root: String,
        local: Option<LocalDir>,
    ) -> Result<Location> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::internal("cannot start the storage runtime").because(e))?;
        Ok(Location { inner: Arc::new(Inner { store, root, local, runtime: Some(runtime) }) })
    }

    /// The full path of an object, for messages.
    pub fn full_name(&self, name: &str) -> String {
        match self.inner.root.ends_with([':', '/']) {
            true => format!("{}{name}", self.inner.root),
            false => format!("{}/{name}", self.inner.root),
        }
    }

    /// Writes an object, replacing what is there; durable when it returns.
    ///
    /// # Errors
    /// Kind `Transient` for a full disk or a failing store, `Config` for a missing permission.
    pub fn put(&self, name: &str, data: PutPayload) -> Result<()> {
        let Some(dir) = &self.inner.local else {
            return self
                .block_on(self.inner.store.put(&Path::from(name), data))
                .map(drop)
                .map_err(|e| self.error("write", name, e));
        };
        let staged = self.stage(dir, name, data)?;
        self.publish(dir, &staged, name)
    }

    /// Writes an object unless there is one of that name; `false` if there is. Durable when it
    /// returns `true`.
    ///
    /// An error leaves open whether the object was written.
    ///
    /// # Errors
    /// As [`Location::put`].
    pub fn put_if_absent(&self, name: &str, data: PutPayload) -> Result<bool> {
        let result = match &self.inner.local {
            None => self.block_on(self.create(&Path::from(name), data)),
            Some(dir) => {
                let staged = self.stage(dir, name, data)?;
                let link = async {
                    let done = self.inner.store.copy_if_not_exists(&staged, &name.into()).await;
                    // Only litter if it fails: the next attempt clears the folder.
                    self.inner.store.delete(&staged).await.ok();
                    done
                };
                self.block_on(link)
            }
        };
        match result {
            Ok(()) => self.sync_folder_of(name).map(|()| true),
            Err(e) if already_exists(&e) => Ok(false),
            Err(e) => Err(self.error("create", name, e)),
        }
    }

    /// Reads an object; `None` if there is none.
    ///
    /// # Errors
    /// Kind `Transient` or `Config`, as [`Location::put`].
    pub fn get(&self, name: &str) -> Result<Option<Bytes>> {
        let path = Path::from(name);
        let read = async { self.inner.store.get(&path).await?.bytes().await };
        self.found("read", name, self.block_on(read))
    }

    /// The size of an object in bytes; `None` if there is none.
    ///
    /// # Errors
    /// As [`Location::get`].
    pub fn size(&self, name: &str) -> Result<Option<u64>> {
        let path = Path::from(name);
        let size = async { self.inner.store.head(&path).await.map(|meta| meta.size) };
        self.found("read", name, self.block_on(size))
    }

    /// Every object below a folder, by name. Never use it to decide what the newest object is.
    ///
    /// # Errors
    /// As [`Location::get`].
    pub fn list(&self, folder: &str) -> Result<Vec<Listed>> {
        let prefix = Path::from(folder);
        let listing = self
            .inner
            .store
            .list(Some(&prefix))
            .map_ok(|meta| Listed { name: meta.location.to_string(), bytes: meta.size });
        let mut all: Vec<Listed> =
            self.block_on(listing.try_collect()).map_err(|e| self.error("list", folder, e))?;
        all.sort();
        Ok(all)
    }

    /// Deletes an object; no error if there is none.
    ///
    /// # Errors
    /// As [`Location::put`].
    pub fn delete(&self, name: &str) -> Result<()> {
        let path = Path::from(name);
        let done = self.block_on(self.inner.store.delete(&path));
        self.found("delete", name, done).map(drop)
    }

    /// An object of known size to read ranges of.
    ///
    /// # Errors
    /// Kind `State` if it is missing or has another size: it is damaged.
    pub fn object(&self, name: &str, bytes: u64) -> Result<Object> {
        let full = self.full_name(name);
        match self.size(name)? {
            Some(size) if size == bytes => Ok(Object::new(self.clone(), name, bytes)),
            Some(size) => Err(Error::state(format!(
                "file \"{full}\" is damaged (bytes {}..{}): it has {size} bytes, expected {bytes}",
                size.min(bytes),
                size.max(bytes)
            ))),
            None => Err(Error::state(format!(
                "file \"{full}\" is damaged (bytes 0..{bytes}): it is missing"
            ))),
        }
    }

    /// Starts an object that is written piece by piece and appears when it is finished.
    ///
    /// # Errors
    /// As [`Location::put`].
    pub fn upload(&self, name: &str) -> Result<Upload> {
        Upload::start(self, name)
    }

    /// Whether files can grow here: [`Location::growing`] gives one.
    pub fn can_grow(&self) -> bool {
        self.inner.local.is_some()
    }

    /// Starts a file that grows by durable pieces and appears when it is finished; none where there
    /// is no local directory.
    ///
    /// # Errors
    /// As [`Location::put`].
    pub fn growing(&self, name: &str) -> Result<Option<GrowingFile>> {
        GrowingFile::start(self, name)
    }

    /// Removes what killed writers have left in `staging/`; only the owner of the job may do so.
    ///
    /// # Errors
    /// As [`Location::put`].
    pub fn clear_staging(&self) -> Result<()> {
        self.inner.local.as_ref().map_or(Ok(()), LocalDir::clear_staging)
    }

    /// Removes a folder if it exists and is empty; stores without folders have nothing to do.
    pub fn remove_empty_folder(&self, folder: &str) {
        if let Some(dir) = &self.inner.local {
            dir.remove_empty_folder(folder);
        }
    }

    fn stage(&self, dir: &LocalDir, name: &str, data: PutPayload) -> Result<Path> {
        loop {
            let staged = LocalDir::next_staged();
            match self.block_on(self.create(&staged, data.clone())) {
                Ok(()) => {
                    dir.sync_file(staged.as_ref())?;
                    return Ok(staged);
                }
                Err(e) if already_exists(&e) => {} // left by a killed process of the same id
                Err(e) => return Err(self.error("write", name, e)),
            }
        }
    }

    fn publish(&self, dir: &LocalDir, staged: &Path, name: &str) -> Result<()> {
        self.block_on(self.inner.store.rename(staged, &Path::from(name)))
            .map_err(|e| self.error("write", name, e))?;
        dir.sync_folder_of(name)
    }

    fn sync_folder_of(&self, name: &str) -> Result<()> {
        self.inner.local.as_ref().map_or(Ok(()), |dir| dir.sync_folder_of(name))
    }

    async fn create(&self, path: &Path, data: PutPayload) -> object_store::Result<()> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        self.inner.store.put_opts(path, data, options).await.map(drop)
    }

    fn found<T>(
        &self,
        doing: &str,
        name: &str,
        result: object_store::Result<T>,
    ) -> Result<Option<T>> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.error(doing, name, e)),
        }
    }

    fn error(&self, doing: &str, name: &str, e: object_store::Error) -> Error {
        storage_error(doing, &self.full_name(name), e)
    }

    /// Runs a future to its end; on a thread of its own if this one belongs to an async runtime.
    fn block_on<T: Send>(
        &self,
        future: impl Future<Output = object_store::Result<T>> + Send,
    ) -> object_store::Result<T> {
        let Some(runtime) = &self.inner.runtime else {
            return Err(object_store::Error::NotImplemented {
                operation: "use after shutdown".into(),
                implementer: self.inner.root.clone(),
            });
        };
        if tokio::runtime::Handle::try_current().is_err() {
            return runtime.block_on(future);
        }
        std::thread::scope(|scope| match scope.spawn(|| runtime.block_on(future)).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

fn already_exists(e: &object_store::Error) -> bool {
    use object_store::Error::{AlreadyExists, Precondition};
    matches!(e, AlreadyExists { .. } | Precondition { .. })
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.root)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({})", self.inner.root)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Dropping a runtime inside another one panics; this does not wait for anything.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
