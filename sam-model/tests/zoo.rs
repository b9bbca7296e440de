//! The networks of the SAM paper: what they cost, how they start, and what differs between the members of a family.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sam_model::{Architecture, Description, Init, Initialization, Op, Padding, Shape};

/// Name, image, classes; parameters, multiply-adds, parameter tensors, values in those of normalisations. Counted by another
/// program from the networks in the authors' code, and by torchvision where it has them.
type Row = (&'static str, [usize; 3], usize, usize, u64, usize, usize);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("wrn-16-1-projection", [32, 32, 3], 10, 175_066, 26_657_408, 43, 928),
    ("wrn-16-1", [32, 32, 3], 10, 172_506, 26_395_264, 41, 928),
    ("wrn-16-4-projection", [32, 32, 3], 10, 2_748_890, 392_612_352, 44, 3_616),
    ("wrn-16-4", [32, 32, 3], 10, 2_706_906, 387_369_472, 41, 3_616),
    ("wrn-28-10-projection", [32, 32, 3], 10, 36_479_194, 5_243_328_768, 80, 17_952),
    ("wrn-28-10", [32, 32, 3], 10, 36_220_634, 5_214_492_928, 77, 17_952),
    ("wrn-40-2-projection", [32, 32, 3], 10, 2_243_546, 327_599_360, 116, 5_408),
    ("wrn-40-2", [32, 32, 3], 10, 2_232_794, 326_026_496, 113, 5_408),
    ("wrn-40-10-projection", [32, 32, 3], 10, 55_841_754, 8_074_483_968, 116, 26_912),
    ("wrn-40-10", [32, 32, 3], 10, 55_583_194, 8_045_648_128, 113, 26_912),
    ("wrn-28-2-projection", [32, 32, 3], 10, 1_467_610, 214_353_152, 80, 3_616),
    ("wrn-28-2", [32, 32, 3], 10, 1_456_858, 212_780_288, 77, 3_616),
    ("wrn-28-10-projection", [32, 32, 3], 100, 36_536_884, 5_243_386_368, 80, 17_952),
    ("wrn-28-10", [32, 32, 3], 100, 36_278_324, 5_214_550_528, 77, 17_952),
    ("wrn-28-10", [28, 28, 1], 10, 36_220_346, 3_992_121_856, 77, 17_952),
    ("wrn-40-10-nobn", [32, 32, 3], 10, 55_569_738, 8_045_648_128, 76, 0),
    ("shake-shake-26-2x32d", [32, 32, 3], 10, 2_923_162, 426_689_792, 161, 7_648),
    ("shake-shake-26-2x64d", [32, 32, 3], 10, 11_653_978, 1_685_506_560, 161, 15_264),
    ("shake-shake-26-2x96d", [32, 32, 3], 10, 26_192_922, 3_776_892_672, 161, 22_880),
    ("shake-shake-26-2x112d", [32, 32, 3], 10, 35_640_442, 5_134_799_232, 161, 26_688),
    ("shake-shake-26-2x96d", [32, 32, 3], 100, 26_227_572, 3_776_927_232, 161, 22_880),
    ("shake-shake-26-2x96d", [28, 28, 1], 10, 26_192_634, 2_891_458_560, 161, 22_880),
    ("pyramidnet-272-200", [32, 32, 3], 10, 26_210_842, 4_488_778_176, 997, 210_864),
    ("pyramidnet-272-200", [32, 32, 3], 100, 26_288_692, 4_488_855_936, 997, 210_864),
    ("pyramidnet-272-200-truncated", [32, 32, 3], 10, 26_046_428, 4_443_684_160, 997, 210_024),
    ("pyramidnet-272-200-truncated", [32, 32, 3], 100, 26_124_278, 4_443_761_920, 997, 210_024),
    ("pyramidnet-110-270", [32, 32, 3], 10, 28_485_477, 4_717_983_724, 439, 49_798),
    ("pyramidnet-110-200-bottleneck-rounded", [32, 32, 3], 10, 10_668_722, 1_868_566_528, 403, 85_584),
    ("pyramidnet-11", [32, 32, 3], 10, 1_182_336, 289_831_616, 40, 9_024),
    ("resnet-20", [32, 32, 3], 10, 272_474, 40_813_184, 65, 1_568),
    ("resnet-32", [32, 32, 3], 10, 466_906, 69_124_736, 101, 2_464),
    ("resnet-56", [32, 32, 3], 10, 855_770, 125_747_840, 173, 4_256),
    ("resnet-110", [32, 32, 3], 10, 1_730_714, 253_149_824, 335, 8_288),
    ("resnet-56-noshort", [32, 32, 3], 10, 853_018, 125_485_696, 167, 4_064),
    ("resnet-50", [224, 224, 3], 1000, 25_557_032, 4_089_184_256, 161, 53_120),
    ("resnet-50-v1", [224, 224, 3], 1000, 25_557_032, 3_857_973_248, 161, 53_120),
    ("resnet-101", [224, 224, 3], 1000, 44_549_160, 7_801_405_440, 314, 105_344),
    ("resnet-101-v1", [224, 224, 3], 1000, 44_549_160, 7_570_194_432, 314, 105_344),
    ("resnet-152", [224, 224, 3], 1000, 60_192_808, 11_513_626_624, 467, 151_424),
    ("resnet-152-v1", [224, 224, 3], 1000, 60_192_808, 11_282_415_616, 467, 151_424),
    ("efficientnet-b0", [224, 224, 3], 1000, 5_288_548, 385_814_752, 213, 42_016),
    ("efficientnet-b1", [240, 240, 3], 1000, 7_794_184, 686_802_832, 301, 62_048),
    ("efficientnet-b2", [260, 260, 3], 1000, 9_109_994, 993_561_872, 301, 67_568),
    ("efficientnet-b3", [300, 300, 3], 1000, 12_233_232, 1_827_141_392, 340, 87_296),
    ("efficientnet-b4", [380, 380, 3], 1000, 19_341_616, 4_393_771_024, 418, 125_200),
    ("efficientnet-b5", [456, 456, 3], 1000, 30_389_784, 10_266_384_752, 506, 172_736),
    ("efficientnet-b6", [528, 528, 3], 1000, 43_040_704, 19_067_593_536, 584, 224_432),
    ("efficientnet-b7", [600, 600, 3], 1000, 66_347_960, 37_745_884_192, 711, 310_720),
    ("efficientnet-b8", [672, 672, 3], 1000, 87_413_142, 62_597_461_568, 789, 380_032),
    ("efficientnet-l2", [800, 800, 3], 1000, 480_309_308, 475_703_653_280, 1134, 1_090_688),
    ("efficientnet-l2-475", [475, 475, 3], 1000, 480_309_308, 170_892_857_680, 1134, 1_090_688),
    ("efficientnet-lite0", [224, 224, 3], 1000, 4_652_008, 385_187_552, 149, 42_016),
    ("efficientnet-lite1", [240, 240, 3], 1000, 5_416_680, 600_185_232, 194, 53_664),
    ("efficientnet-lite2", [260, 260, 3], 1000, 6_092_072, 859_736_272, 194, 58_096),
    ("efficientnet-lite3", [280, 280, 3], 1000, 8_197_096, 1_383_321_872, 221, 76_672),
    ("efficientnet-lite4", [300, 300, 3], 1000, 13_006_568, 2_553_034_336, 275, 112_368),
];

fn described(name: &str) -> Description {
    let network: Architecture = name.parse().unwrap();
    let (image, classes) = network.input();
    network.describe(image, classes).unwrap()
}

#[test]
fn networks_cost_what_their_authors_networks_do() {
    for &(name, [height, width, channels], classes, parameters, multiply_adds, tensors, normalised) in ROWS {
        let network: Architecture = name.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        let network = network.describe(Shape::new(height, width, channels), classes).unwrap();
        let layout = network.parameters();
        let of_norm =
            |own: &&sam_model::TensorInfo| own.name.ends_with(".scale") || own.name.ends_with(".shift");
        let normalised_values: usize =
            layout.tensors().iter().filter(of_norm).map(|own| own.range.len()).sum();
        let found = (layout.len(), network.multiply_adds(), layout.tensors().len(), normalised_values);
        assert_eq!(found, (parameters, multiply_adds, tensors, normalised), "{name}");
        assert_eq!(
            network.statistics().len(),
            normalised,
            "{name}: a mean and a variance for each scale and shift"
        );
    }
}

#[test]
fn every_network_that_is_listed_can_be_described_and_has_its_name() {
    let mut seen = 0;
    for name in Architecture::names() {
        let network: Architecture = name.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(network.to_string(), name);
        let (image, classes) = network.input();
        let described = described(name);
        assert_eq!((described.image(), described.classes()), (image, classes), "{name}");
        seen += 1;
    }
    assert!(seen >= 45, "only {seen}");
}

#[test]
fn names_may_leave_out_what_is_usual() {
    for (name, full) in [
        ("pyramidnet-272", "pyramidnet-272-200"),
        ("pyramidnet-110-48-basic-truncated", "pyramidnet-110-48"),
        ("pyramidnet-272-200-rounded-shakedrop", "pyramidnet-272-200-shakedrop"),
    ] {
        assert_eq!(name.parse::<Architecture>().unwrap().to_string(), full);
    }
    for name in [
        "wrn-16-1-nobn-projection",
        "wrn-16-1-projection-nobn",
        "shake-shake-26-2x33d",
        "shake-shake-27-2x32d",
        "shake-shake-26-3x32d",
        "pyramidnet-13",
        "pyramidnet-272-0",
        "pyramidnet-272-200-100",
        "pyramidnet-14-4-bottleneck",
        "pyramidnet-272-200-basic-bottleneck",
        "resnet-50-w64",
        "resnet-34",
        "resnet-20-cifar",
        "resnet-101-noshort",
        "efficientnet-b9",
        "efficientnet-lite5",
        "wrn-+16-1",
        "wrn-016-1",
    ] {
        let found = name.parse::<Architecture>();
        assert!(found.is_err(), "{name}: {found:?}");
    }
}

/// Two members of the family of small images have the depth of one for ImageNet.
#[test]
fn plain_names_of_depths_that_both_families_have_are_imagenets() {
    assert_eq!("resnet-50".parse::<Architecture>().unwrap().input().1, 1000);
    assert_eq!("resnet-50-cifar".parse::<Architecture>().unwrap().input().1, 10);
    assert_eq!(
        "resnet-152-cifar-noshort".parse::<Architecture>().unwrap().to_string(),
        "resnet-152-cifar-noshort"
    );
}

/// A file of a version before means what it meant.
#[test]
fn records_keep_their_meaning() {
    for (record, name) in [
        ("wrn-16-4", "wrn-16-4-projection"),
        ("wrn-16-4-zero-padded", "wrn-16-4"),
        ("wrn-16-4-nobn", "wrn-16-4-nobn"),
        ("resnet-50", "resnet-50-cifar"),
        ("resnet-152", "resnet-152-cifar"),
        ("resnet-50-imagenet", "resnet-50"),
        ("resnet-101", "resnet-101"),
        ("resnet-20", "resnet-20"),
        ("resnet-50-cifar-noshort", "resnet-50-cifar-noshort"),
        ("mlp-128-64", "mlp-128-64"),
    ] {
        let network = Architecture::from_record(record).unwrap();
        assert_eq!((network.to_string().as_str(), network.record().as_str()), (name, record));
    }
    for name in Architecture::names() {
        let network: Architecture = name.parse().unwrap();
        assert_eq!(Architecture::from_record(&network.record()), Ok(network));
    }
}

/// Widths of the first block, of the last of each stage: of the authors' code, and of the paper.
#[test]
fn pyramids_widen_as_published() {
    for (name, widths) in
        [("pyramidnet-272", [18, 83, 149, 216]), ("pyramidnet-272-200-truncated", [18, 82, 149, 216])]
    {
        let network = described(name);
        let width = |stage: usize, block: usize| {
            let name = format!("stage{stage}.{block}.conv1");
            let node = network.nodes().iter().position(|node| node.name.to_string() == name).unwrap();
            network.shape(node + 1).channels
        };
        assert_eq!([width(1, 0), width(1, 29), width(2, 29), width(3, 29)], widths, "{name}");
    }
}

/// ShakeDrop's and drop-connect's rates, block by block.
#[test]
fn rates_grow_linearly_with_the_depth() {
    let keeps: Vec<f64> = described("pyramidnet-272-200-shakedrop")
        .nodes()
        .iter()
        .filter_map(|node| if let Op::ShakeDrop { keep } = node.op { Some(keep) } else { None })
        .collect();
    assert_eq!((keeps.len(), keeps[89]), (90, 0.5));
    assert!(keeps.iter().enumerate().all(|(i, keep)| (keep - (1.0 - (i + 1) as f64 / 180.0)).abs() < 1e-12));
    let rates: Vec<_> = described("efficientnet-b0")
        .nodes()
        .iter()
        .filter_map(|node| {
            if let Op::DropConnect { rate } = node.op { Some((node.name.to_string(), rate)) } else { None }
        })
        .collect();
    // Blocks 2, 4, 6, 7, 9, 10, 12, 13 and 14 of 16 have a shortcut.
    let expected = [2, 4, 6, 7, 9, 10, 12, 13, 14].map(|i| 0.2 * f64::from(i) / 16.0);
    assert_eq!(rates.iter().map(|(_, rate)| *rate).collect::<Vec<_>>(), expected);
}

/// Weights start as the authors' do, whose fan out of a depthwise filter is its area.
#[test]
fn networks_start_as_their_authors_do() {
    let init = |network: &str, tensor: &str| {
        let network = described(network);
        network
            .parameters()
            .tensors()
            .iter()
            .find(|own| own.name == tensor)
            .unwrap_or_else(|| panic!("{tensor}"))
            .init
    };
    assert_eq!(init("wrn-16-4", "stage1.0.conv1.weight"), Init::Normal(2.0 / (9.0 * 64.0)));
    assert_eq!(init("wrn-16-4", "head.weight"), Init::Uniform(1.0 / 10f64.sqrt()));
    assert_eq!(init("wrn-16-4-projection", "stage1.0.conv1.weight"), Init::He { fan_in: 144 });
    assert_eq!(init("wrn-16-4-projection", "head.weight"), Init::Constant(0.0));
    assert_eq!(init("wrn-16-4-nobn", "stage1.0.conv2.weight"), Init::Constant(0.0));
    assert_eq!(init("wrn-16-4-nobn", "stage1.0.conv1.bias"), Init::Constant(0.0));
    assert_eq!(init("resnet-50", "stage1.0.norm3.scale"), Init::Constant(0.0));
    assert_eq!(init("resnet-50", "stage1.0.norm2.scale"), Init::Constant(1.0));
    assert_eq!(init("resnet-50", "stem.weight"), Init::Normal(1.0 / 147.0));
    assert_eq!(init("resnet-50", "head.weight"), Init::Normal(1.0 / 2048.0));
    assert_eq!(init("efficientnet-b0", "stage2.0.depthwise.weight"), Init::TruncatedNormal(2.0 / 9.0));
    assert_eq!(init("efficientnet-b0", "stage2.0.expand.weight"), Init::TruncatedNormal(2.0 / 96.0));
    assert_eq!(init("efficientnet-b0", "head.weight"), Init::Uniform(1.0 / 1000f64.sqrt()));
}

#[test]
fn any_network_can_start_otherwise() {
    let network: Architecture = "lenet".parse().unwrap();
    let start = |initialization| {
        let described = network.describe_with(Shape::new(8, 8, 1), 10, initialization).unwrap();
        described.parameters().tensors()[0].init
    };
    assert_eq!(start(Initialization::HeFanIn), Init::He { fan_in: 9 });
    assert_eq!(start(Initialization::HeFanOut), Init::Normal(2.0 / (9.0 * 32.0)));
    assert_eq!(start(Initialization::LeCun), Init::Normal(1.0 / 9.0));
    for initialization in Initialization::ALL {
        assert_eq!(initialization.to_string().parse(), Ok(initialization));
    }
    let error = "xavier".parse::<Initialization>().unwrap_err().to_string();
    assert_eq!(error, "expected one of he-fan-in he-fan-out lecun truncated-fan-out");
}

/// Paddings before and behind an image, as TensorFlow documents them.
#[test]
fn same_is_asymmetric_at_even_extents() {
    let around = |extent, size, stride| {
        let found = Padding::Same.windows(extent, size, stride).unwrap();
        (found.count, found.before, found.behind)
    };
    assert_eq!(around(224, 3, 2), (112, 0, 1));
    assert_eq!(around(224, 5, 2), (112, 1, 2));
    assert_eq!(around(224, 7, 2), (112, 2, 3));
    assert_eq!(around(75, 3, 2), (38, 1, 1));
    assert_eq!(around(7, 5, 1), (7, 2, 2));
    assert_eq!(around(5, 2, 2), (3, 0, 1));
    assert_eq!(around(5, 1, 2), (3, 0, 0));
    assert_eq!(Padding::Same.windows(5, 3, 0), None);
}
