//! Networks as others have published them: files of `torch.save`, names of layers.

use std::{collections::HashMap, fs, io::BufReader, path::PathBuf};

use ndarray::{Array2, Array4};
use proptest::prelude::*;
use sam_backend_ndarray::Network;
use sam_model::{Architecture, Description, ImageShape};
use sam_train::{
    data::{Standardizer, own},
    export::{onnx, pytorch},
    import::{names, torch, weights},
    report::classification::softmax,
    training::{
        start::Start,
        state::{Head, STATISTICS, State, Tensor, WEIGHTS},
    },
};

/// What `golden/torch_save.py` saved: the first in the layout since 1.6, the second in the one before; both have the same value.
const FILES: [&[u8]; 2] =
    [include_bytes!("golden/torch_save.pt"), include_bytes!("golden/torch_save_legacy.pt")];

/// The tensors of the golden files, as that script prints them.
fn golden() -> Vec<Tensor> {
    let tensor = |line: &str| {
        let parts: Vec<&str> = line.split(';').collect();
        let numbers =
            |text: &str| text.split_whitespace().map(|n| n.parse::<f32>().unwrap()).collect::<Vec<_>>();
        Tensor {
            name: parts[0].to_owned(),
            shape: numbers(parts[1]).into_iter().map(|size| size as usize).collect(),
            values: numbers(parts[2]),
        }
    };
    include_str!("golden/torch_save.csv").lines().map(tensor).collect()
}

#[test]
fn both_layouts_of_torch_save_give_the_tensors_that_pytorch_saved() {
    for file in FILES {
        assert!(torch::is_torch(file));
        assert_eq!(torch::read(file).unwrap(), golden());
    }
}

#[test]
fn a_pickle_that_names_a_function_is_refused_by_that_name() {
    // GLOBAL os.system, a tuple of a string, REDUCE.
    let mut file = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
    file.extend(b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.");
    let error = torch::read(&file).unwrap_err().to_string();
    assert!(error.contains("os.system"), "{error}");
}

proptest! {
    /// No file makes it panic, and what it gives is no more than the file has.
    #[test]
    fn damaged_files_are_refused_or_read(
        which in 0..2_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut file = FILES[which].to_vec();
        for (place, byte) in changes {
            let place = place.index(file.len());
            file[place] = byte;
        }
        file.truncate(cut.index(file.len()) + 1);
        if let Ok(tensors) = torch::read(&file) {
            let numbers: usize = tensors.iter().map(|tensor| tensor.values.len()).sum();
            prop_assert!(4 * numbers <= file.len());
        }
    }
}

fn network(name: &str, side: usize) -> Description {
    let architecture: Architecture = name.parse().unwrap();
    architecture.describe(ImageShape::new(side, side, 3), 7).unwrap()
}

/// A state of which every number is another.
fn state(description: &Description) -> State {
    let mut next = 0.0;
    let mut tensors = Vec::new();
    for node in description.nodes() {
        for (group, parameters) in [(WEIGHTS, &node.parameters), (STATISTICS, &node.statistics)] {
            for parameter in parameters {
                let count: usize = parameter.shape.iter().product();
                let values = (0..count).map(|i| next + i as f32).collect();
                next += count as f32;
                let name = format!("{group}{}.{}", node.name, parameter.role);
                tensors.push(Tensor { name, shape: parameter.shape.clone(), values });
            }
        }
    }
    State { tensors }
}

/// Names of the first layers, of some in blocks with and without expansion, and of the last, from the published models.
#[test]
fn published_names_of_layers_are_those_of_their_sources() {
    let cases: [(&str, &[(&str, &str)]); 4] = [
        (
            "resnet-50",
            &[
                ("stem.weight", "conv1.weight"),
                ("stem_norm.running_mean", "bn1.running_mean"),
                ("stage1.0.projection.weight", "layer1.0.downsample.0.weight"),
                ("stage1.0.projection_norm.bias", "layer1.0.downsample.1.bias"),
                ("stage3.5.conv2.weight", "layer3.5.conv2.weight"),
                ("stage4.2.norm3.weight", "layer4.2.bn3.weight"),
                ("head.bias", "fc.bias"),
            ],
        ),
        (
            "efficientnet-lite0",
            &[
                ("stem.weight", "_conv_stem.weight"),
                ("stem_norm.weight", "_bn0.weight"),
                ("stage1.0.depthwise.weight", "_blocks.0._depthwise_conv.weight"),
                ("stage2.0.expand.weight", "_blocks.1._expand_conv.weight"),
                ("stage7.0.project_norm.running_var", "_blocks.15._bn2.running_var"),
                ("top_norm.bias", "_bn1.bias"),
                ("head.weight", "_fc.weight"),
            ],
        ),
        (
            "efficientnet-b0",
            &[
                ("stage1.0.squeeze_conv.bias", "_blocks.0._se_reduce.bias"),
                ("stage7.0.excite_conv.weight", "_blocks.15._se_expand.weight"),
            ],
        ),
        (
            "efficientnet-b0",
            &[
                ("stem.weight", "conv_stem.weight"),
                ("stage1.0.depthwise_norm.weight", "blocks.0.0.bn1.weight"),
                ("stage1.0.project.weight", "blocks.0.0.conv_pw.weight"),
                ("stage2.1.expand.weight", "blocks.1.1.conv_pw.weight"),
                ("stage2.1.project.weight", "blocks.1.1.conv_pwl.weight"),
                ("stage2.1.squeeze_conv.bias", "blocks.1.1.se.conv_reduce.bias"),
                ("top_norm.running_mean", "bn2.running_mean"),
                ("head.bias", "classifier.bias"),
            ],
        ),
    ];
    for (model, pairs) in cases {
        let description = network(model, 32);
        let mut tensors: Vec<Tensor> = pairs
            .iter()
            .map(|(_, theirs)| Tensor { name: (*theirs).to_owned(), shape: vec![0], values: Vec::new() })
            .collect();
        names::adopt(&description, &mut tensors);
        let found: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(found, pairs.iter().map(|(own, _)| *own).collect::<Vec<_>>(), "{model}");
    }
}

#[test]
fn an_export_of_our_own_keeps_its_names_and_comes_back_whole() {
    for model in ["resnet-8", "resnet-50-w2", "efficientnet-lite0", "wrn-10-1", "lenet"] {
        let description = network(model, 32);
        let state = state(&description);
        let mut exported = pytorch::tensors(&description, &state).unwrap();
        names::adopt(&description, &mut exported);
        assert_eq!(pytorch::state(&description, &exported).unwrap(), state, "{model}");
    }
}

/// Of each family, by the names that `sam export` writes; numbers that a rounding would change.
#[test]
fn an_onnx_export_comes_back_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    for model in [
        "mlp-16",
        "lenet",
        "resnet-8",
        "wrn-10-1",
        "wrn-10-1-nobn",
        "shake-shake-26-2x4d",
        "pyramidnet-20-12",
        "resnet-50-w2",
        "efficientnet-lite0",
    ] {
        let description = network(model, 32);
        let mut state = state(&description);
        state
            .tensors
            .iter_mut()
            .flat_map(|tensor| &mut tensor.values)
            .for_each(|value| *value = (*value + 0.3).sin());
        let file = folder.path().join("network.onnx");
        let standardizer = Standardizer::of(&[[1, 127, 127 * 127 + 128 * 128]; 3]);
        fs::write(&file, onnx::encode(&description, &state, &standardizer, &HashMap::new()).unwrap())
            .unwrap();
        let read = weights::read(&Start::of(&file).unwrap(), &description).unwrap();
        assert_eq!(read, state, "{model}");
    }
}

#[test]
fn a_model_whose_names_say_nothing_is_refused_though_its_shapes_would_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (description, file) = (network("mlp-16", 32), folder.path().join("network.onnx"));
    let standardizer = Standardizer::of(&[[1, 127, 127 * 127 + 128 * 128]; 3]);
    let mut content =
        onnx::encode(&description, &state(&description), &standardizer, &HashMap::new()).unwrap();
    for (own, other) in [("dense1.", "layer_a"), ("head.", "layer")] {
        let places = content.windows(own.len()).enumerate().filter(|(_, part)| *part == own.as_bytes());
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        assert!(!places.is_empty(), "{own}");
        places.iter().for_each(|&place| content[place..place + own.len()].copy_from_slice(other.as_bytes()));
    }
    fs::write(&file, content).unwrap();
    let error = weights::read(&Start::of(&file).unwrap(), &description).unwrap_err().to_string();
    let words = "names of tensors: expected those of an export or of a published file, such as dense1.weight, found layer_a";
    assert!(error.contains(words), "{error}");
}

/// Google's weights as others saved them, on photographs that nobody here has chosen. PyTorch with Pillow's bicubic scaling has 17, 20 and a
/// cross-entropy of 0.577; pictures are scaled by area here, which gives 0.637. Another convention tells: other padding 18 and 19, ImageNet's
/// mean and deviation of bytes 16 and 18, ReLU for ReLU6 12 and 15.
#[test]
#[ignore = "needs what examples/published/fetch fetches, in the folder that $SAM_PUBLISHED names"]
fn published_weights_name_photographs_of_imagenet() {
    let folder = PathBuf::from(std::env::var_os("SAM_PUBLISHED").unwrap());
    let shape = ImageShape::new(224, 224, 3);
    let architecture: Architecture = "efficientnet-lite0".parse().unwrap();
    let description = architecture.describe(shape, 1000).unwrap();
    let start = Start::of(&folder.join("lite0/efficientnet-lite0-57934424.pth")).unwrap();
    let given = weights::read(&start, &description).unwrap();
    let mut state = state(&description);
    assert!(state.take_over(&given, Head::IfItFits).unwrap().is_empty());

    let group =
        |group: &str| -> Vec<f32> { state.group(group).flat_map(|tensor| tensor.values.clone()).collect() };
    let mut network = Network::<f32>::build(&description, 1, 2).unwrap();
    network.set_statistics(&group(STATISTICS)).unwrap();
    let parameters = group(WEIGHTS);
    // (byte - 127) / 128.
    let standardizer = Standardizer::of(&[[1, 127, 127 * 127 + 128 * 128]; 3]);
    let (mut first, mut among_five, mut total, mut count) = (0, 0, 0.0, 0);
    for class in fs::read_dir(folder.join("photographs")).unwrap() {
        let class = class.unwrap().path();
        let label: usize = class.file_name().unwrap().to_str().unwrap().parse().unwrap();
        for photograph in fs::read_dir(class).unwrap() {
            let file = BufReader::new(fs::File::open(photograph.unwrap().path()).unwrap());
            let bytes = own::decode_picture(file, shape).unwrap();
            let mut values = vec![0.0; bytes.len()];
            standardizer.apply(&bytes, &mut values);
            let image = Array4::from_shape_vec((1, 224, 224, 3), values).unwrap();
            let mut logits = Array2::zeros((1, 1000));
            network.logits(&parameters, image.view(), logits.view_mut()).unwrap();
            let row: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
            let better = row.iter().filter(|&&logit| logit > row[label]).count();
            first += usize::from(better == 0);
            among_five += usize::from(better < 5);
            total -= softmax(&row)[label].ln();
            count += 1;
        }
    }
    let cross_entropy = total / f64::from(count);
    println!("{first} of {count} first, {among_five} among the first five, cross-entropy {cross_entropy:.3}");
    assert_eq!((first, among_five, count), (17, 20, 20));
    assert!((cross_entropy - 0.637).abs() < 0.01, "{cross_entropy}");
}
