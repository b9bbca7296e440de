//! Finds a device, and gets numbers into it and out of it.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use proptest::prelude::ProptestConfig;
use sam_backend_cuda::{CudaError, CudaSpace, Device, DeviceNorm, DeviceSpace, DeviceVec, Gradient};
use sam_core::testkit::Storage;

/// Device tests run one after the other: counts of synchronising calls are of the whole process.
static TURN: Mutex<()> = Mutex::new(());

/// A device that no other test uses meanwhile.
pub struct Turn {
    pub device: Device,
    _turn: MutexGuard<'static, ()>,
}

impl Turn {
    /// The space without segments, as a storage.
    pub fn storage(&self) -> OnDevice<fn(&Device, usize) -> CudaSpace> {
        OnDevice { device: self.device.clone(), make: |device, len| CudaSpace::new(device, len).unwrap() }
    }
}

/// Storage for the conformance kit, whose spaces `make` makes.
pub struct OnDevice<M> {
    pub device: Device,
    pub make: M,
}

impl<S: DeviceSpace, M: Fn(&Device, usize) -> S> Storage for OnDevice<M> {
    type Scalar = f32;
    type Space = S;
    type Params = DeviceVec<f32>;
    type Grads = Gradient;
    /// What rounding to f32 leaves.
    const TOLERANCE: f64 = 3e-7;

    fn space(&mut self, len: usize) -> S {
        (self.make)(&self.device, len)
    }

    fn params(&mut self, values: &[f64]) -> DeviceVec<f32> {
        DeviceVec::from_slice(&self.device, &narrow(values)).unwrap()
    }

    fn grads(&mut self, values: &[f64]) -> Gradient {
        gradient(&self.device, &narrow(values))
    }

    fn read(&mut self, params: &DeviceVec<f32>) -> Vec<f64> {
        params.read().unwrap().into_iter().map(f64::from).collect()
    }

    fn read_norm(&mut self, norm: &DeviceNorm) -> f64 {
        norm.value().unwrap()
    }
}

pub fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|x| *x as f32).collect()
}

pub fn gradient(device: &Device, values: &[f32]) -> Gradient {
    let mut gradient = Gradient::zeros(device, values.len()).unwrap();
    gradient.values_mut().write(values).unwrap();
    gradient
}

pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// So many cases, and no file of failures.
pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
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
    // SAFETY: under a lock that every test takes first; nothing else in the process reads the environment.
    #[allow(unsafe_code, reason = "the variable is read once, later")]
    unsafe {
        // For ranks, each with a device of its own.
        env::set_var("PTX_INTERPRETER_DEVICES", "4");
        // Verdicts of other runs would be found, and planted faults not.
        env::set_var("SAM_CUDA_CACHE", "");
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
    for name in ["libcublasLt.so.13", "libcudnn.so.9", "libnccl.so.2"] {
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
