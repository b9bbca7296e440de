//! Replacing a file on a disk that fails or crashes at any operation.

#![allow(clippy::unwrap_used)]

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    rc::Rc,
};

use proptest::prelude::*;
use sam_train::files::{Disk, SystemDisk, append_line_on, create_directory_on, replace, replace_on};

/// What goes wrong with an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// It does nothing and says so.
    Refused,
    /// A write takes half of what it is given, and the next one fails as on a full disk.
    NoSpace,
}

/// A disk in memory that knows what would be left after a crash.
#[derive(Default)]
struct ModelDisk {
    /// Every file ever created; names point here.
    contents: Rc<RefCell<Vec<Content>>>,
    names: RefCell<BTreeMap<PathBuf, usize>>,
    /// The names as of the last sync of the directory.
    durable_names: RefCell<BTreeMap<PathBuf, usize>>,
    directories: RefCell<BTreeSet<PathBuf>>,
    /// Those whose own directory was synced since they were made.
    durable_directories: RefCell<BTreeSet<PathBuf>>,
    operations: Rc<Cell<usize>>,
    /// Which operation fails, and how.
    fault: Rc<Cell<Option<(usize, Fault)>>>,
    /// From this operation on nothing happens: the machine is down.
    crash: Option<usize>,
}

#[derive(Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
}

struct ModelFile {
    index: usize,
    contents: Rc<RefCell<Vec<Content>>>,
    operations: Rc<Cell<usize>>,
    fault: Rc<Cell<Option<(usize, Fault)>>>,
    crash: Option<usize>,
}

fn begin(
    operations: &Cell<usize>,
    fault: &Cell<Option<(usize, Fault)>>,
    crash: Option<usize>,
) -> io::Result<Option<Fault>> {
    let number = operations.replace(operations.get() + 1);
    if crash.is_some_and(|crash| number >= crash) {
        return Err(io::Error::other("the machine is down"));
    }
    match fault.get() {
        Some((at, Fault::Refused)) if at == number => Err(io::Error::other("refused")),
        Some((at, kind)) if at == number => Ok(Some(kind)),
        _ => Ok(None),
    }
}

impl ModelDisk {
    fn begin(&self) -> io::Result<Option<Fault>> {
        begin(&self.operations, &self.fault, self.crash)
    }

    /// The contents that `path` can have after a crash now; `None` for no file.
    fn after_crash(&self, path: &Path) -> Vec<Option<Vec<u8>>> {
        let (names, durable) = (self.names.borrow(), self.durable_names.borrow());
        let contents = self.contents.borrow();
        let mut outcomes = Vec::new();
        for index in [names.get(path), durable.get(path)] {
            match index.map(|&index| &contents[index]) {
                None => outcomes.push(None),
                Some(Content { bytes, synced }) => {
                    outcomes.extend((*synced..=bytes.len()).map(|kept| Some(bytes[..kept].to_vec())));
                }
            }
        }
        outcomes
    }

    fn content(&self, path: &Path) -> Option<Vec<u8>> {
        self.names.borrow().get(path).map(|&index| self.contents.borrow()[index].bytes.clone())
    }
}

impl Write for ModelFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = match begin(&self.operations, &self.fault, self.crash)? {
            None => bytes.len(),
            Some(_) if bytes.len() < 2 => return Err(ErrorKind::StorageFull.into()),
            Some(_) => {
                self.fault.set(Some((self.operations.get(), Fault::Refused)));
                bytes.len() / 2
            }
        };
        self.contents.borrow_mut()[self.index].bytes.extend(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for ModelDisk {
    type File = ModelFile;

    fn append(&self, path: &Path) -> io::Result<ModelFile> {
        let there = self.names.borrow().get(path).copied();
        let Some(index) = there else { return self.create(path, path) };
        self.begin()?;
        let (operations, fault) = (self.operations.clone(), self.fault.clone());
        Ok(ModelFile { index, contents: self.contents.clone(), operations, fault, crash: self.crash })
    }

    fn create_directory(&self, path: &Path) -> io::Result<bool> {
        self.begin()?;
        let parent = path.parent().unwrap();
        if parent != Path::new("") && !self.directories.borrow().contains(parent) {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(self.directories.borrow_mut().insert(path.to_owned()))
    }

    fn create(&self, path: &Path, _: &Path) -> io::Result<ModelFile> {
        self.begin()?;
        let index = self.contents.borrow().len();
        self.contents.borrow_mut().push(Content::default());
        self.names.borrow_mut().insert(path.to_owned(), index);
        let (operations, fault) = (self.operations.clone(), self.fault.clone());
        Ok(ModelFile { index, contents: self.contents.clone(), operations, fault, crash: self.crash })
    }

    fn sync(&self, file: &ModelFile) -> io::Result<()> {
        self.begin()?;
        let content = &mut self.contents.borrow_mut()[file.index];
        content.synced = content.bytes.len();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.begin()?;
        let mut names = self.names.borrow_mut();
        let index = names.remove(from).ok_or(ErrorKind::NotFound)?;
        names.insert(to.to_owned(), index);
        Ok(())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.begin()?;
        let inside = |path: &Path| {
            path.parent() == Some(if directory == Path::new(".") { Path::new("") } else { directory })
        };
        let mut durable = self.durable_names.borrow_mut();
        durable.retain(|path, _| !inside(path));
        durable.extend(
            self.names
                .borrow()
                .iter()
                .filter(|(path, _)| inside(path))
                .map(|(path, index)| (path.clone(), *index)),
        );
        let made = self.directories.borrow();
        self.durable_directories.borrow_mut().extend(made.iter().filter(|path| inside(path)).cloned());
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.begin()?;
        self.names.borrow_mut().remove(path).map(drop).ok_or(ErrorKind::NotFound.into())
    }
}

const PATH: &str = "run/checkpoint";

/// A disk that has `old` safely at [`PATH`], if there is an old content; counts operations from now on.
fn disk_with(old: Option<&[u8]>) -> ModelDisk {
    let disk = ModelDisk::default();
    if let Some(old) = old {
        replace_on(&disk, Path::new(PATH), old).unwrap();
    }
    disk.operations.set(0);
    disk
}

/// Create, write, sync, rename, sync the directory.
const OPERATIONS: usize = 5;

proptest! {
    #[test]
    fn a_crash_at_any_moment_leaves_the_old_content_or_the_new(
        old in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..8)),
        new in proptest::collection::vec(any::<u8>(), 1..8),
    ) {
        let path = Path::new(PATH);
        for crash in 0..=OPERATIONS {
            let mut disk = disk_with(old.as_deref());
            disk.crash = Some(crash);
            let done = replace_on(&disk, path, &new).is_ok();
            prop_assert_eq!(done, crash == OPERATIONS);
            for left in disk.after_crash(path) {
                let is_new = left.as_deref() == Some(&new[..]);
                prop_assert!(is_new || (!done && left == old), "crash before {crash}: {left:?}");
            }
        }
    }

    #[test]
    fn a_fault_in_any_operation_is_reported_and_leaves_the_old_content(
        old in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..8)),
        new in proptest::collection::vec(any::<u8>(), 2..8),
    ) {
        let path = Path::new(PATH);
        for (at, kind) in (0..OPERATIONS).map(|at| (at, Fault::Refused)).chain([(1, Fault::NoSpace)]) {
            let disk = disk_with(old.as_deref());
            disk.fault.set(Some((at, kind)));
            let error = replace_on(&disk, path, &new).unwrap_err().to_string();
            prop_assert!(error.contains("run"), "{error}");
            // With the last operation the new content is in its place, only not for sure.
            let expected = if at == OPERATIONS - 1 { Some(new.clone()) } else { old.clone() };
            prop_assert_eq!(disk.content(path), expected);
            prop_assert_eq!(disk.content(Path::new("run/checkpoint.part")), None, "what is left is removed");
            for left in disk.after_crash(path) {
                prop_assert!(left == old || left.as_deref() == Some(&new[..]), "fault in {at}: {left:?}");
            }
            // The next attempt goes through.
            disk.fault.set(None);
            replace_on(&disk, path, &new).unwrap();
            prop_assert!(disk.after_crash(path).iter().all(|left| left.as_deref() == Some(&new[..])));
        }
    }
}

#[test]
fn a_directory_that_was_created_survives_a_crash_with_its_parents() {
    for before in 0..3 {
        let whole = Path::new("a/b/c");
        let names: Vec<&Path> = ["a", "a/b", "a/b/c"].map(Path::new).to_vec();
        // As many operations as it takes, and then every one as the last.
        for crash in 0..20 {
            let mut disk = ModelDisk::default();
            for name in &names[..before] {
                disk.directories.borrow_mut().insert(name.to_path_buf());
                disk.durable_directories.borrow_mut().insert(name.to_path_buf());
            }
            disk.crash = Some(crash);
            if create_directory_on(&disk, whole).is_ok() {
                let durable = disk.durable_directories.borrow();
                assert!(names.iter().all(|name| durable.contains(*name)), "{before} {crash}: {durable:?}");
                assert!(crash > 0, "it was created by nothing");
            }
        }
        let disk = ModelDisk::default();
        create_directory_on(&disk, whole).unwrap();
        create_directory_on(&disk, whole).unwrap();
    }
}

#[test]
fn a_line_that_was_appended_survives_a_crash_with_its_file() {
    let path = Path::new("run/lines");
    for crash in 0..20 {
        let disk = ModelDisk { crash: Some(crash), ..ModelDisk::default() };
        let first = append_line_on(&disk, path, "one", true).is_ok();
        let second = first && append_line_on(&disk, path, "two", false).is_ok();
        let expected: &[u8] = if second { b"one\ntwo\n" } else { b"one\n" };
        if first {
            let left = disk.after_crash(path);
            assert!(
                left.iter().all(|left| left.as_ref().is_some_and(|left| left.starts_with(expected))),
                "{crash}: {left:?}"
            );
        }
    }
}

#[test]
fn a_file_without_a_directory_in_its_name_is_replaced_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    replace(&path, b"old").unwrap();
    replace(&path, b"new").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    // `Path::parent` of a bare name is the empty path, which no system opens.
    SystemDisk.sync_directory(Path::new(".")).unwrap();
    let bare = Path::new("durability-test-of-a-bare-name");
    replace(bare, b"x").unwrap();
    std::fs::remove_file(bare).unwrap();
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    // Every write to this device fails as on a full disk.
    struct Full;
    impl Disk for Full {
        type File = std::fs::File;
        fn create(&self, _: &Path, _: &Path) -> io::Result<Self::File> {
            std::fs::File::options().write(true).open("/dev/full")
        }
        fn append(&self, _: &Path) -> io::Result<Self::File> {
            unreachable!("nothing is appended")
        }
        fn create_directory(&self, _: &Path) -> io::Result<bool> {
            unreachable!("no directory is created")
        }
        fn sync(&self, _: &Self::File) -> io::Result<()> {
            unreachable!("the write before it fails")
        }
        fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
            unreachable!("the write before it fails")
        }
        fn sync_directory(&self, _: &Path) -> io::Result<()> {
            unreachable!("the write before it fails")
        }
        fn remove(&self, _: &Path) -> io::Result<()> {
            Ok(())
        }
    }
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: this system has no /dev/full");
        return;
    }
    let error = replace_on(&Full, Path::new("run/checkpoint"), b"content").unwrap_err();
    assert_eq!(error.source.kind(), ErrorKind::StorageFull);
    assert!(error.to_string().starts_with("run/checkpoint: cannot be written: "), "{error}");
}
