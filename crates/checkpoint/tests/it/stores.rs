//! Locations: local directories, stores that lie, and stores that fail.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use headwater_checkpoint::Location;
use headwater_checkpoint::segment::ReadAt;
use headwater_core::ErrorKind;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// A store in memory that misbehaves on demand.
#[derive(Debug, Default)]
struct Misbehaving {
    inner: InMemory,
    ignore_conditions: bool,
    /// Writes to let through before they are reported as failed.
    good_writes: AtomicI64,
    bad_writes: AtomicI64,
    fail_deletes: AtomicBool,
}

impl fmt::Display for Misbehaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("misbehaving")
    }
}

fn broken() -> Error {
    Error::Generic { store: "misbehaving", source: "connection reset".into() }
}

#[async_trait]
impl ObjectStore for Misbehaving {
    async fn put_opts(
        &self,
        path: &Path,
        data: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        if self.ignore_conditions {
            options.mode = PutMode::Overwrite;
        }
        let result = self.inner.put_opts(path, data, options).await?;
        let good = self.good_writes.fetch_sub(1, Ordering::SeqCst) > 0;
        match !good && self.bad_writes.fetch_sub(1, Ordering::SeqCst) > 0 {
            true => Err(broken()),
            false => Ok(result),
        }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.fail_deletes.load(Ordering::SeqCst) {
            true => paths.map(|_| Err(broken())).boxed(),
            false => self.inner.delete_stream(paths),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A store whose writes can be made to succeed but be reported as failed.
pub struct Flaky(Arc<Misbehaving>);

impl Flaky {
    pub fn new() -> Flaky {
        Flaky(Arc::default())
    }

    pub fn location(&self) -> Location {
        let store: Arc<Misbehaving> = Arc::clone(&self.0);
        Location::from_store(store, "flaky:").unwrap()
    }

    /// The next writes are done and reported as failed.
    pub fn fail_after_writes(&self, writes: i64) {
        self.fail_after_writes_from(1, writes);
    }

    /// The same, from the `first`-th write on.
    pub fn fail_after_writes_from(&self, first: i64, writes: i64) {
        self.0.good_writes.store(first - 1, Ordering::SeqCst);
        self.0.bad_writes.store(writes, Ordering::SeqCst);
    }

    pub fn fail_deletes(&self, fail: bool) {
        self.0.fail_deletes.store(fail, Ordering::SeqCst);
    }
}

#[test]
fn a_store_that_ignores_conditions_is_refused() {
    let store = Misbehaving { ignore_conditions: true, ..Misbehaving::default() };
    let location = Location::from_store(Arc::new(store), "lying:").unwrap();
    let e = location.self_test().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config);
    let text = "cannot keep checkpoints in \"lying:\": it lets create-if-absent replace an object";
    assert_eq!(e.to_string(), text);
    Location::memory().unwrap().self_test().unwrap();
}

/// What every location has to do.
fn conformance(location: &Location) {
    assert_eq!(location.get("a/b").unwrap(), None);
    assert_eq!(location.size("a/b").unwrap(), None);
    location.delete("a/b").unwrap();
    assert!(location.put_if_absent("a/b", "one".into()).unwrap());
    assert!(!location.put_if_absent("a/b", "two".into()).unwrap());
    assert_eq!(location.get("a/b").unwrap().unwrap(), "one");
    location.put("a/b", "three".into()).unwrap();
    location.put("a/c/d", "four".into()).unwrap();
    assert_eq!(location.size("a/b").unwrap(), Some(5));
    let listed = location.list("a").unwrap();
    let listed: Vec<_> = listed.iter().map(|o| (o.name.as_str(), o.bytes)).collect();
    assert_eq!(listed, [("a/b", 5), ("a/c/d", 4)]);
    assert_eq!(location.list("nothing").unwrap(), []);
    assert_eq!(location.object("a/b", 5).unwrap().read_at(1..3).unwrap(), "hr");
    assert_eq!(location.object("a/b", 6).unwrap_err().kind(), ErrorKind::State);
    assert_eq!(location.object("a/x", 6).unwrap_err().kind(), ErrorKind::State);
    let mut upload = location.upload("a/u").unwrap();
    upload.write("piece ".into()).unwrap();
    assert_eq!(location.get("a/u").unwrap(), None, "not before it is finished");
    upload.write("by piece".into()).unwrap();
    upload.finish().unwrap();
    assert_eq!(location.get("a/u").unwrap().unwrap(), "piece by piece");
    let growing = location.growing("a/g/h").unwrap();
    assert_eq!(growing.is_some(), location.can_grow());
    if let Some(mut growing) = growing {
        growing.append(&["one ".into(), "after ".into()]).unwrap();
        growing.append(&["the other".into()]).unwrap();
        assert_eq!(location.get("a/g/h").unwrap(), None, "not before it is finished");
        growing.finish().unwrap();
        assert_eq!(location.get("a/g/h").unwrap().unwrap(), "one after the other");
    }
    location.delete("a/b").unwrap();
    assert_eq!(location.get("a/b").unwrap(), None);
    location.self_test().unwrap();
    assert_eq!(location.list("self-test").unwrap(), []);
    location.clear_staging().unwrap();
}

#[test]
fn every_kind_of_location_does_the_same() {
    conformance(&Location::memory().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("x/y z");
    conformance(&Location::open(&deep.to_string_lossy()).unwrap());
    let url = format!("file://{}", dir.path().join("other").display());
    conformance(&Location::open(&url).unwrap());
    assert!(dir.path().join("other/a/c/d").is_file());
    assert!(Location::open(&url).unwrap().can_grow());
}

#[test]
fn calls_work_from_inside_an_async_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { conformance(&Location::memory().unwrap()) });
}

#[test]
fn one_creator_wins_of_many() {
    let dir = tempfile::tempdir().unwrap();
    let url = dir.path().to_string_lossy().into_owned();
    let create = |n: usize| {
        let location = Location::open(&url).unwrap();
        location.put_if_absent("taken", vec![n as u8; 1000].into()).unwrap().then_some(n)
    };
    let winners: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || create(n))).collect();
        threads.into_iter().filter_map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(winners.len(), 1);
    let kept = Location::open(&url).unwrap().get("taken").unwrap().unwrap();
    assert_eq!(kept, vec![winners[0] as u8; 1000]);
}

#[test]
fn unfit_paths_and_urls_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for url in [file.to_string_lossy().into_owned(), format!("{}/below", file.display())] {
        let e = Location::open(&url).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Config);
        assert!(e.to_string().contains("not a directory"), "{e}");
        assert!(e.to_string().contains(&url), "{e}");
    }
    let missing = dir.path().join("missing");
    let e = Location::open_existing(&missing.to_string_lossy()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config);
    assert!(!missing.exists(), "looking does not create");
    assert!(Location::open("s3://bucket/x").unwrap_err().to_string().contains("kind \"s3\""));
    assert!(Location::open("").is_err());
}

#[test]
fn a_failing_store_is_worth_a_retry() {
    let store = Flaky::new();
    let location = store.location();
    store.fail_after_writes(1);
    let e = location.put("x", "y".into()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Transient);
    assert_eq!(e.to_string(), "cannot write \"flaky:x\": the storage failed");
    assert!(e.report().contains("connection reset"), "{}", e.report());
    location.put("x", "y".into()).unwrap();
}

#[test]
fn what_threads_share_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Location>();
    shared::<headwater_checkpoint::Restored>();
    shared::<headwater_checkpoint::SegmentStore>();
    shared::<headwater_checkpoint::JobLog>();
}
