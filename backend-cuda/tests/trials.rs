//! Trials of libraries' kernels are kept for other processes. One test in a process of its own: where they are kept is read from the
//! environment.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "sets environment variables, calls the stand-in")]

use std::{env, fs, io::Write, os::unix::fs::symlink, path::Path, process};

use libloading::Library;
use sam_backend_cuda::{CudaNetwork, Device, KernelChoice};
use sam_model::ImageShape;

/// What a new device's kernels are and why, and how many products were computed to find out.
fn chosen(stand_in: &Library) -> (Vec<String>, u64) {
    // SAFETY: the function only tells a number.
    let products =
        || unsafe { stand_in.get::<unsafe extern "C" fn() -> u64>("vendor_stand_in_products").unwrap()() };
    let before = products();
    let device = Device::new(0).unwrap();
    let image = ImageShape::new(8, 8, 1);
    let mut network = CudaNetwork::new(&device, &"lenet".parse().unwrap(), image, 3, 2).unwrap();
    network.set_kernels(KernelChoice::Auto).unwrap();
    (network.kernels().iter().map(ToString::to_string).collect(), products() - before)
}

#[test]
fn a_trial_is_made_once_for_all_processes() {
    let beside = |name: &str| env::current_exe().unwrap().with_file_name(name);
    let folder = env::temp_dir().join(format!("sam-trials-{}", process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for name in ["libcublasLt.so.13", "libcudnn.so.9"] {
        symlink(beside("libvendor_stand_in.so"), folder.join(name)).unwrap();
    }
    let kept = folder.join("deep/kept");
    let set = |cache: &Path| {
        // SAFETY: the only test of the process; nothing else reads the environment meanwhile.
        unsafe {
            env::set_var("SAM_CUDA_DRIVER", beside("libptx_interpreter_driver.so"));
            env::set_var("SAM_CUDA_LIB_DIR", &folder);
            env::set_var("SAM_CUDA_CACHE", cache);
        }
    };
    // SAFETY: the device opens the same library.
    let stand_in = unsafe { Library::new(beside("libvendor_stand_in.so")) }.unwrap();

    // Nowhere: every device makes its own.
    set(Path::new(""));
    assert!(chosen(&stand_in).1 > 0 && chosen(&stand_in).1 > 0);
    set(&kept);
    let (first, products) = chosen(&stand_in);
    assert!(products > 0);
    assert_eq!(chosen(&stand_in), (first.clone(), 0));

    // A file that is cut off, or has other things in it, costs trials at most.
    let files: Vec<_> = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [path] = &files[..] else { panic!("{files:?}") };
    let name = path.file_name().unwrap().to_string_lossy();
    assert!(name.contains("interpreter") && name.contains("9.10.2") && name.contains("13.0"), "{name}");
    let text = fs::read(path).unwrap();
    fs::write(path, &text[..text.len() - 5]).unwrap();
    let (_, again) = chosen(&stand_in);
    assert!(again > 0 && again < products, "{again} of {products}");
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"\xff no verdict\n").unwrap();
    assert!(chosen(&stand_in).1 > 0);
    // A folder that cannot be made.
    set(&path.join("below-a-file"));
    assert!(chosen(&stand_in).1 > 0);
    fs::remove_dir_all(folder).unwrap();
}
