//! Finds a device.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use sam_backend_cuda::{CudaError, Device};

/// Device tests run one after the other: counts of synchronising calls are of the whole process.
static TURN: Mutex<()> = Mutex::new(());

/// A device that no other test uses meanwhile.
pub struct Turn {
    pub device: Device,
    _turn: MutexGuard<'static, ()>,
}

/// The device to test on; `None` after saying why there is none.
pub fn device(test: &str) -> Option<Turn> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    static CHOICE: OnceLock<()> = OnceLock::new();
    CHOICE.get_or_init(choose_driver);
    match Device::new(0) {
        Ok(device) => {
            let interpreted =
                device.synchronisations().is_some() || device.description().contains("interpreter");
            let how = if interpreted { "interpreted by" } else { "on" };
            println!("{test}: {how} {}", device.description());
            Some(Turn { device, _turn: turn })
        }
        Err(CudaError::NoDevice { reason }) => {
            assert!(
                env::var_os("SAM_REQUIRE_CUDA").is_none_or(|value| value != "1"),
                "{test}: SAM_REQUIRE_CUDA=1, but {reason}"
            );
            println!("{test}: skipped: no CUDA driver ({reason})");
            None
        }
        Err(error) => panic!("{test}: {error}"),
    }
}

/// Takes the interpreter, built beside this program, where neither a driver nor a choice of the caller's is there.
fn choose_driver() {
    const CHOICE: &str = "SAM_CUDA_DRIVER";
    // SAFETY: the system's driver may be loaded: its initialiser expects nothing of the program.
    #[allow(unsafe_code, reason = "asks whether the driver can be loaded")]
    let has_driver = || unsafe { libloading::Library::new("libcuda.so.1") }.is_ok();
    if env::var_os(CHOICE).is_some() || has_driver() {
        return;
    }
    if let Some(interpreter) = beside("libptx_interpreter_driver.so") {
        // SAFETY: under a lock that every test takes first; nothing else in the process reads the environment.
        #[allow(unsafe_code, reason = "the variable is read once, later")]
        unsafe {
            env::set_var(CHOICE, interpreter);
        }
    }
    let stand_in = beside("libvendor_stand_in.so");
    if let (Some(stand_in), None) = (stand_in, env::var_os(LIBRARIES)) {
        let folder = libraries(&stand_in);
        // SAFETY: as above.
        #[allow(unsafe_code, reason = "the variable is read once, later")]
        unsafe {
            env::set_var(LIBRARIES, folder);
        }
    }
}

const LIBRARIES: &str = "SAM_CUDA_LIB_DIR";

/// A folder with what stands in for NVIDIA's libraries, under their names.
fn libraries(stand_in: &Path) -> PathBuf {
    let folder = env::temp_dir().join(format!("sam-vendor-stand-in-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    for name in ["libcublasLt.so.13", "libcudnn.so.9"] {
        let link = folder.join(name);
        let _ = fs::remove_file(&link);
        symlink(stand_in, link).unwrap();
    }
    folder
}

/// A shared library that was built beside this program.
pub fn beside(name: &str) -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let folders = program.ancestors().skip(1).take(2);
    folders.map(|folder| folder.join(name)).find(|path| path.exists())
}
