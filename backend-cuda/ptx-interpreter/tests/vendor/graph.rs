//! The stand-in for cuDNN's graph interface: a convolution and its sums; what its documentation forbids is refused.

use crate::api::{allocate, call, created, device, download, upload};

const SUCCESS: u32 = 0;
const BAD_PARAM: u32 = 2000;
const NOT_SUPPORTED: u32 = 3000;
const FLOAT: u32 = 0;
const BFLOAT16: u32 = 9;

/// Names, types and kinds by their numbers in the library's header.
fn set<T>(descriptor: usize, name: u32, r#type: u32, values: &[T]) -> u32 {
    call!(cudnnBackendSetAttribute(
        descriptor => usize, name => u32, r#type => u32, values.len() as i64 => i64, values.as_ptr() => *const T,
    ))
}

fn create(kind: u32) -> usize {
    let mut own = 0usize;
    assert_eq!(call!(cudnnBackendCreateDescriptor(kind => u32, &mut own => *mut usize)), SUCCESS);
    own
}

fn finish(descriptor: usize) -> u32 {
    call!(cudnnBackendFinalize(descriptor => usize))
}

fn described_tensor(
    id: i64,
    number: u32,
    [n, c, h, w]: [i64; 4],
    strides: [i64; 4],
    is_virtual: bool,
) -> usize {
    let own = create(17);
    assert_eq!(set(own, 906, 3, &[id]), SUCCESS);
    assert_eq!(set(own, 901, 1, &[number]), SUCCESS);
    assert_eq!(set(own, 900, 3, &[16i64]), SUCCESS);
    assert_eq!(set(own, 902, 3, &[n, c, h, w]), SUCCESS);
    assert_eq!(set(own, 903, 3, &strides), SUCCESS);
    assert_eq!(set(own, 907, 2, &[is_virtual]), SUCCESS);
    own
}

fn tensor(id: i64, number: u32, extents: [i64; 4], is_virtual: bool) -> usize {
    let [_, c, h, w] = extents;
    let own = described_tensor(id, number, extents, [c * h * w, 1, w * c, c], is_virtual);
    assert_eq!(finish(own), SUCCESS);
    own
}

/// A 1x2 convolution of 1x3 images of eight channels that is padded behind them only.
fn forward(x: usize, w: usize, y: usize) -> usize {
    let window = create(1);
    for (name, values) in [(106, &[2i64][..]), (102, &[1, 1]), (103, &[1, 1]), (105, &[0, 0]), (104, &[0, 1])]
    {
        assert_eq!(set(window, name, 3, values), SUCCESS);
    }
    assert_eq!(set(window, 100, 1, &[FLOAT]), SUCCESS);
    assert_eq!(set(window, 101, 7, &[1u32]), SUCCESS);
    assert_eq!(finish(window), SUCCESS);
    let own = create(10);
    for (name, link) in [(702, window), (703, w), (704, x), (705, y)] {
        assert_eq!(set(own, name, 15, &[link]), SUCCESS);
    }
    assert_eq!(set(own, 700, 4, &[1.0f32]), SUCCESS);
    assert_eq!(set(own, 701, 4, &[0.0f32]), SUCCESS);
    own
}

fn pointwise(mode: u32, links: &[(u32, usize)]) -> usize {
    let function = create(0);
    assert_eq!(set(function, 0, 14, &[mode]), SUCCESS);
    assert_eq!(set(function, 1, 1, &[FLOAT]), SUCCESS);
    assert_eq!(finish(function), SUCCESS);
    let own = create(13);
    assert_eq!(set(own, 750, 15, &[function]), SUCCESS);
    for (name, link) in links {
        assert_eq!(set(own, *name, 15, &[*link]), SUCCESS);
    }
    own
}

fn sums(x: usize, sums: usize, squares: usize) -> usize {
    let own = create(14);
    assert_eq!(set(own, 770, 16, &[0u32]), SUCCESS);
    assert_eq!(set(own, 771, 1, &[FLOAT]), SUCCESS);
    for (name, link) in [(772, x), (773, sums), (774, squares)] {
        assert_eq!(set(own, name, 15, &[link]), SUCCESS);
    }
    own
}

/// A graph of these operations, and its engines of heuristics of mode A.
fn engines(handle: usize, operations: &[usize]) -> Result<Vec<usize>, u32> {
    for operation in operations {
        match finish(*operation) {
            SUCCESS => {}
            status => return Err(status),
        }
    }
    let graph = create(15);
    assert_eq!(set(graph, 800, 0, &[handle]), SUCCESS);
    assert_eq!(set(graph, 801, 15, operations), SUCCESS);
    match finish(graph) {
        SUCCESS => {}
        status => return Err(status),
    }
    let heuristics = create(4);
    assert_eq!(set(heuristics, 200, 8, &[3u32]), SUCCESS);
    assert_eq!(set(heuristics, 201, 15, &[graph]), SUCCESS);
    assert_eq!(finish(heuristics), SUCCESS);
    let (mut count, mut found) = (0i64, [create(3), create(3), create(3)]);
    let status = call!(cudnnBackendGetAttribute(
        heuristics => usize, 202 => u32, 15 => u32, 3 => i64, &mut count => *mut i64, found.as_mut_ptr() => *mut usize,
    ));
    assert_eq!((status, count), (SUCCESS, 3));
    Ok(found.into())
}

fn plan(handle: usize, engine: usize) -> Result<usize, u32> {
    let own = create(5);
    assert_eq!(set(own, 400, 0, &[handle]), SUCCESS);
    assert_eq!(set(own, 401, 15, &[engine]), SUCCESS);
    match finish(own) {
        SUCCESS => Ok(own),
        status => Err(status),
    }
}

fn execute(handle: usize, plan: usize, places: &[(i64, u64)], workspace: u64) -> u32 {
    let pack = create(16);
    let (ids, places): (Vec<i64>, Vec<u64>) = places.iter().copied().unzip();
    assert_eq!(set(pack, 1000, 3, &ids), SUCCESS);
    assert_eq!(set(pack, 1001, 6, &places), SUCCESS);
    assert_eq!(set(pack, 1003, 6, &[workspace]), SUCCESS);
    assert_eq!(finish(pack), SUCCESS);
    call!(cudnnBackendExecute(handle => usize, plan => usize, pack => usize))
}

/// What is between is f32, what is written is rounded, and sums are of the former: in bf16, with an addition.
#[test]
fn sums_are_of_what_is_not_rounded() {
    // 1, 1 + 2^-7 and 2^-8.
    const ONE: u16 = 0x3f80;
    const NEXT: u16 = 0x3f81;
    const SMALL: u16 = 0x3b80;
    let _turn = device();
    let handle = created!(cudnnCreate());
    let image = [1, 8, 1, 3];
    let (x, w) = (tensor(1, BFLOAT16, image, false), tensor(2, BFLOAT16, [8, 8, 1, 2], false));
    let (product, total) = (tensor(7, FLOAT, image, true), tensor(8, FLOAT, image, true));
    let (addend, y) = (tensor(3, BFLOAT16, image, false), tensor(4, BFLOAT16, image, false));
    let (sum, squares) = (tensor(5, FLOAT, [1, 8, 1, 1], false), tensor(6, FLOAT, [1, 8, 1, 1], false));
    let operations = [
        forward(x, w, product),
        pointwise(0, &[(751, product), (752, addend), (753, total)]),
        pointwise(21, &[(751, total), (753, y)]),
        sums(total, sum, squares),
    ];
    let engines = engines(handle, &operations).unwrap();
    assert_eq!(plan(handle, engines[2]), Err(NOT_SUPPORTED), "fused without tensor cores");
    let plan = plan(handle, engines[1]).unwrap();
    // The first channel of each pixel is 1, and goes to the first channel by both taps.
    let mut images = [0u16; 24];
    let mut filters = [0u16; 128];
    let mut more = [0u16; 24];
    for pixel in 0..3 {
        images[8 * pixel] = ONE;
        more[8 * pixel] = [SMALL, 0, NEXT][pixel];
    }
    (filters[0], filters[8]) = (ONE, SMALL);
    let places = [
        (1, upload(&images)),
        (2, upload(&filters)),
        (3, upload(&more)),
        (4, allocate(12)),
        (5, allocate(8)),
        (6, allocate(8)),
    ];
    let workspace = allocate(128);
    assert_eq!(execute(handle, plan, &places, workspace), SUCCESS);
    let least = 0.5f32.powi(8);
    // The last one is at the border: its second tap is of zeros.
    let exact = [1.0 + 2.0 * least, 1.0 + least, 2.0 + 2.0 * least];
    let outputs: Vec<u16> = download::<u16>(places[3].1, 24).into_iter().step_by(8).collect();
    assert_eq!(outputs, [NEXT, ONE, 0x4000]);
    let (found, found_squares) = (download::<f32>(places[4].1, 8), download::<f32>(places[5].1, 8));
    assert_eq!((found[0], found[1]), (exact.iter().sum(), 0.0));
    assert!((found_squares[0] - exact.iter().map(|value| value * value).sum::<f32>()).abs() < 1e-6);

    for (what, places, workspace) in [
        ("a tensor that is nowhere", places[..5].to_vec(), workspace),
        ("a tensor that is not aligned", places.map(|(id, at)| (id, at + 4)).to_vec(), workspace),
        ("no workspace", places.to_vec(), 0),
    ] {
        assert_eq!(execute(handle, plan, &places, workspace), BAD_PARAM, "{what}");
    }
    assert_eq!(call!(cudnnDestroy(handle => usize)), SUCCESS);
}

#[test]
fn what_no_engine_has_is_refused() {
    let _turn = device();
    let handle = created!(cudnnCreate());
    let graph = |number: u32, channels: i64, of: u32| {
        let image = [1, channels, 1, 3];
        let (x, w) = (tensor(1, number, image, false), tensor(2, number, [channels, channels, 1, 2], false));
        let y = tensor(4, of, image, false);
        let [sum, squares] = [5, 6].map(|id| tensor(id, FLOAT, [1, channels, 1, 1], false));
        engines(handle, &[forward(x, w, y), sums(y, sum, squares)]).map(|engines| plan(handle, engines[0]))
    };
    assert!(graph(FLOAT, 8, FLOAT).unwrap().is_ok());
    for (what, found) in [
        ("channels that no tensor core takes", graph(BFLOAT16, 4, FLOAT)),
        ("sums of rounded numbers", graph(BFLOAT16, 8, BFLOAT16)),
    ] {
        assert_eq!(found, Ok(Err(NOT_SUPPORTED)), "{what}");
    }
    let image = [1, 8, 1, 3];
    let (x, w) = (tensor(1, FLOAT, image, false), tensor(2, FLOAT, [8, 8, 1, 2], false));
    let short = tensor(4, FLOAT, [1, 8, 1, 2], false);
    assert_eq!(engines(handle, &[forward(x, w, short)]), Err(BAD_PARAM), "an output of another size");
    let unmade = tensor(7, FLOAT, image, true);
    let y = tensor(4, FLOAT, image, false);
    assert_eq!(
        engines(handle, &[pointwise(21, &[(751, unmade), (753, y)])]),
        Err(BAD_PARAM),
        "a tensor that nobody makes"
    );
    let rows_first = described_tensor(9, FLOAT, image, [24, 3, 3, 1], false);
    assert_eq!(finish(rows_first), NOT_SUPPORTED, "rows first");
    assert_eq!(set(create(17), 906, 4, &[1i64]), BAD_PARAM, "another type");
    assert_eq!(set(create(17), 800, 0, &[handle]), BAD_PARAM, "another descriptor's attribute");
    assert_eq!(set(x, 906, 3, &[1i64]), BAD_PARAM, "a descriptor that is finished");
    assert_eq!(call!(cudnnDestroy(handle => usize)), SUCCESS);
}
