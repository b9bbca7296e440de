//! The rows of the paper's tables and figures, as its authors trained them, with what they printed.
//!
//! Sources: the paper (arXiv 2010.01412), tables 1 to 8 and 12 and appendices B and C, and its code (github.com/google-research/sam, commit
//! dae9904). Where both are silent a row says what was taken instead.

use super::{Data, Recipe, Variant};

const CIFAR_10: Data = Data::named("cifar-10", 50_000);
const CIFAR_100: Data = Data::named("cifar-100", 50_000);
const FASHION: Data = Data::named("fashion-mnist", 60_000);
// Train and extra.
const SVHN: Data = Data::named("svhn", 604_388);
const IMAGENET: Data = Data::folders("imagenet", "ImageNet (ILSVRC 2012)", 1_281_167);

const EPOCHS_NOT_PRINTED: &str =
    "the paper prints no epochs for it; 1800 are those of the work that it follows";
const SMALL_SET_EPOCHS: &str =
    "the paper prints no epochs for SVHN and Fashion-MNIST; 200 are those of its shorter CIFAR runs";
const RAISED: &str = "the paper prints the better of both lengths for SGD";

/// Augmentations of CIFAR, in the order of table 1.
const AUGMENTATIONS: [&str; 3] = ["basic", "cutout", "autoaugment"];

/// A network of table 1: its name in recipes and that of the zoo, epochs, learning rate and weight decay on either data set, the radii of
/// table 6, and what is printed of SAM and SGD with each augmentation.
struct Network {
    name: &'static str,
    model: &'static str,
    epochs: usize,
    lr: [f64; 2],
    decay: f64,
    rho: [f64; 2],
    printed: [[(&'static str, &'static str); 3]; 2],
    note: &'static str,
}

const TABLE_1: [Network; 5] = [
    Network {
        name: "wrn-28-10-200",
        model: "wrn-28-10",
        epochs: 200,
        lr: [0.1; 2],
        decay: 5e-4,
        rho: [0.05, 0.1],
        printed: [
            [("2.7 ± 0.1", "3.5 ± 0.1"), ("2.3 ± 0.1", "2.6 ± 0.1"), ("2.1 ± <0.1", "2.3 ± 0.1")],
            [("16.5 ± 0.2", "18.8 ± 0.2"), ("14.9 ± 0.2", "16.9 ± 0.1"), ("13.6 ± 0.2", "15.8 ± 0.2")],
        ],
        note: RAISED,
    },
    Network {
        name: "wrn-28-10-1800",
        model: "wrn-28-10",
        epochs: 1800,
        lr: [0.05; 2],
        decay: 1e-3,
        rho: [0.05, 0.1],
        printed: [
            [("2.4 ± 0.1", "3.5 ± 0.1"), ("2.1 ± 0.1", "2.7 ± 0.1"), ("1.6 ± 0.1", "2.2 ± <0.1")],
            [("16.3 ± 0.2", "19.1 ± 0.1"), ("14.0 ± 0.1", "17.4 ± 0.1"), ("12.8 ± 0.2", "16.1 ± 0.2")],
        ],
        note: RAISED,
    },
    Network {
        name: "shake-shake",
        model: "shake-shake-26-2x96d",
        epochs: 1800,
        lr: [0.02; 2],
        decay: 1e-3,
        rho: [0.02, 0.05],
        printed: [
            [("2.3 ± <0.1", "2.7 ± 0.1"), ("2.0 ± <0.1", "2.3 ± 0.1"), ("1.6 ± <0.1", "1.9 ± 0.1")],
            [("15.1 ± 0.1", "17.0 ± 0.1"), ("14.2 ± 0.2", "15.7 ± 0.2"), ("12.8 ± 0.1", "14.1 ± 0.2")],
        ],
        note: EPOCHS_NOT_PRINTED,
    },
    Network {
        name: "pyramidnet",
        model: "pyramidnet-272-200",
        epochs: 1800,
        lr: [0.05; 2],
        decay: 5e-4,
        rho: [0.05, 0.2],
        printed: [
            [("2.7 ± 0.1", "4.0 ± 0.1"), ("1.9 ± 0.1", "2.5 ± 0.1"), ("1.6 ± 0.1", "1.9 ± 0.1")],
            [("14.6 ± 0.4", "19.7 ± 0.3"), ("12.6 ± 0.2", "16.4 ± 0.1"), ("11.6 ± 0.1", "14.6 ± 0.1")],
        ],
        note: EPOCHS_NOT_PRINTED,
    },
    Network {
        name: "pyramidnet-shakedrop",
        model: "pyramidnet-272-200-shakedrop",
        epochs: 1800,
        lr: [0.02, 0.05],
        decay: 5e-4,
        rho: [0.05; 2],
        printed: [
            [("2.1 ± 0.1", "2.5 ± 0.1"), ("1.6 ± <0.1", "1.9 ± 0.1"), ("1.4 ± <0.1", "1.6 ± <0.1")],
            [("13.3 ± 0.2", "14.5 ± 0.1"), ("11.3 ± 0.1", "11.8 ± 0.2"), ("10.3 ± 0.1", "10.6 ± 0.1")],
        ],
        note: EPOCHS_NOT_PRINTED,
    },
];

/// Table 5: data, rate, then each network with its radius (table 7) and what is printed without and with the stronger augmentation.
type Table5 =
    (Data, &'static str, f64, [(&'static str, &'static str, f64, [(&'static str, &'static str); 2]); 2]);
const TABLE_5: [Table5; 2] = [
    (
        SVHN,
        "autoaugment",
        0.01,
        [
            (
                "wrn-28-10",
                "wrn-28-10",
                0.01,
                [("1.42 ± 0.02", "1.58 ± 0.03"), ("0.99 ± 0.01", "1.14 ± 0.04")],
            ),
            (
                "shake-shake",
                "shake-shake-26-2x96d",
                0.01,
                [("1.44 ± 0.02", "1.58 ± 0.05"), ("1.07 ± 0.02", "1.03 ± 0.02")],
            ),
        ],
    ),
    (
        FASHION,
        // Appendix B.1: what the table calls auto-augment is cutout there.
        "cutout",
        0.1,
        [
            (
                "wrn-28-10",
                "wrn-28-10",
                0.05,
                [("3.98 ± 0.05", "4.57 ± 0.07"), ("3.61 ± 0.06", "3.86 ± 0.14")],
            ),
            (
                "shake-shake",
                "shake-shake-26-2x96d",
                0.02,
                [("3.97 ± 0.09", "4.37 ± 0.06"), ("3.59 ± 0.01", "3.76 ± 0.07")],
            ),
        ],
    ),
];

/// Table 2: the network with what is printed after 100, 200 and 400 epochs, top-1 of SAM and of standard training.
const TABLE_2: [(&str, [(&str, &str); 3]); 3] = [
    ("resnet-50", [("22.5 ± 0.1", "22.9 ± 0.1"), ("21.4 ± 0.1", "22.3 ± 0.1"), ("20.9 ± 0.1", "22.3 ± 0.1")]),
    (
        "resnet-101",
        [("20.2 ± 0.1", "21.2 ± 0.1"), ("19.4 ± 0.1", "20.9 ± 0.1"), ("19.0 ± <0.01", "22.3 ± 0.1")],
    ),
    (
        "resnet-152",
        [("19.2 ± <0.01", "20.4 ± <0.0"), ("18.5 ± 0.1", "20.3 ± 0.2"), ("18.4 ± <0.01", "20.9 ± <0.0")],
    ),
];

/// Table 3 with the radii of table 8: data, radius, and what is printed of EfficientNet-b7 and of EfficientNet-L2, with SAM and without.
type Table3 = (Data, f64, [(&'static str, &'static str); 2]);
const TABLE_3: [Table3; 8] = [
    (
        Data::folders("aircraft", "FGVC Aircraft", 6_667),
        0.1,
        [("6.80 ± 0.06", "8.15 ± 0.08"), ("4.82 ± 0.08", "5.80 ± 0.1")],
    ),
    (
        Data::folders("flowers", "Flowers-102", 2_040),
        0.2,
        [("0.63 ± 0.02", "1.16 ± 0.05"), ("0.35 ± 0.01", "0.40 ± 0.02")],
    ),
    (
        Data::folders("pets", "Oxford-IIIT Pets", 3_680),
        0.1,
        [("3.97 ± 0.04", "4.24 ± 0.09"), ("2.90 ± 0.04", "3.08 ± 0.04")],
    ),
    (
        Data::folders("cars", "Stanford Cars", 8_144),
        0.2,
        [("5.18 ± 0.02", "5.94 ± 0.06"), ("4.04 ± 0.03", "4.93 ± 0.04")],
    ),
    (
        Data::folders("cifar-10", "CIFAR-10", 50_000),
        0.05,
        [("0.88 ± 0.02", "0.95 ± 0.03"), ("0.30 ± 0.01", "0.34 ± 0.02")],
    ),
    (
        Data::folders("cifar-100", "CIFAR-100", 50_000),
        0.02,
        [("7.44 ± 0.06", "7.68 ± 0.06"), ("3.92 ± 0.06", "4.07 ± 0.08")],
    ),
    (
        Data::folders("birdsnap", "Birdsnap", 47_386),
        0.05,
        [("13.64 ± 0.15", "14.30 ± 0.18"), ("9.93 ± 0.15", "10.31 ± 0.15")],
    ),
    (
        Data::folders("food-101", "Food-101", 75_750),
        0.02,
        [("7.02 ± 0.02", "7.17 ± 0.03"), ("3.82 ± 0.01", "3.97 ± 0.03")],
    ),
];

/// All recipes, in the order of the paper, each in the form of the authors' code and then in that of the text where both differ.
pub fn all() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for (set, data) in [CIFAR_10, CIFAR_100].into_iter().enumerate() {
        for network in &TABLE_1 {
            for (i, augment) in AUGMENTATIONS.into_iter().enumerate() {
                let mut recipe = Recipe::cifar(data, network.model, network.epochs);
                recipe.name = format!("table1-{}-{}-{augment}", data.name, network.name);
                recipe.place = "Tables 1 and 6";
                (recipe.lr, recipe.decay, recipe.rho) = (network.lr[set], network.decay, network.rho[set]);
                (recipe.augment, recipe.printed) = (augment, Some(network.printed[set][i]));
                recipe.notes.push(network.note);
                both(&mut recipes, recipe);
            }
        }
    }
    for (model, printed) in TABLE_2 {
        for (epochs, printed) in [100, 200, 400].into_iter().zip(printed) {
            let mut recipe = Recipe::cifar(IMAGENET, model, epochs);
            recipe.name = format!("table2-{model}-{epochs}");
            recipe.place = "Table 2";
            (recipe.batch, recipe.m, recipe.lr, recipe.decay, recipe.rho) = (4096, 128, 1.0, 1e-4, 0.05);
            (recipe.augment, recipe.size, recipe.printed) = ("imagenet", Some(224), Some(printed));
            recipe.notes.push("32 TPU cores: 128 images share a perturbation");
            both(&mut recipes, recipe);
        }
    }
    for (network, model, batch, m, lr, size) in
        [("b7", "efficientnet-b7", 1024, 16, 0.016, 600), ("l2", "efficientnet-l2-475", 512, 4, 0.008, 475)]
    {
        let finetune = |data: Data, rho: f64, steps: usize, printed| {
            let mut recipe = Recipe::cifar(data, model, (steps * batch).div_ceil(data.images));
            recipe.name = format!("table3-{}-{network}", data.name);
            recipe.place = "Tables 3 and 8";
            recipe.command = "finetune";
            (recipe.batch, recipe.m, recipe.lr, recipe.decay, recipe.rho) = (batch, m, lr, 1e-5, rho);
            (recipe.size, recipe.printed) = (Some(size), Some(printed));
            // Appendix C.2: of the others the pictures are as ImageNet's are evaluated.
            recipe.augment = if data.name.starts_with("cifar") { "autoaugment" } else { "imagenet-eval" };
            recipe
        };
        for (data, rho, printed) in TABLE_3 {
            // 5,000 steps of 1,024 images, and as many images for the other batch.
            let mut recipe =
                finetune(data, rho, 5_000 * 1_024 / batch, printed[usize::from(network == "l2")]);
            recipe.notes.push("5,000 steps of 1,024 images, in epochs; frozen statistics, a new last layer");
            if data.name.starts_with("cifar") {
                recipe.notes.push("the code changes 32x32 images and then enlarges them; here the enlarged ones are changed");
            }
            recipes.push(recipe);
        }
        let printed = [("15.14 ± 0.03", "15.3"), ("11.39 ± 0.02", "11.8")][usize::from(network == "l2")];
        let mut recipe = finetune(IMAGENET, 0.05, 0, printed);
        (recipe.epochs, recipe.lr) = (10, 0.1);
        recipe.notes.push("the last layer is that of the checkpoint");
        recipes.push(recipe);
    }
    for (data, stronger, lr, networks) in TABLE_5 {
        for (name, model, rho, printed) in networks {
            for (augment, printed) in ["basic", stronger].into_iter().zip(printed) {
                let mut recipe = Recipe::cifar(data, model, 200);
                recipe.name = format!("table5-{}-{name}-{augment}", data.name);
                recipe.place = "Tables 5 and 7";
                (recipe.lr, recipe.decay, recipe.rho) = (lr, 5e-4, rho);
                (recipe.augment, recipe.printed) = (augment, Some(printed));
                recipe.notes.push(SMALL_SET_EPOCHS);
                both(&mut recipes, recipe);
            }
        }
    }
    recipes.extend(noise());
    for (data, printed, rho) in [
        (CIFAR_10, "1, 2, 3, 5 steps: 2.77 ± 0.03, 2.76 ± 0.03, 2.73 ± 0.04, 2.77 ± 0.03", 0.05),
        (CIFAR_100, "1, 2, 3, 5 steps: 16.72 ± 0.08, 16.59 ± 0.08, 16.62 ± 0.09, 16.60 ± 0.06", 0.1),
    ] {
        let mut recipe = Recipe::cifar(data, "wrn-28-10", 200);
        recipe.name = format!("table12-{}", data.name);
        recipe.place = "Table 12 and figure 7";
        recipe.command = "ablate inner-steps";
        (recipe.seeds, recipe.rho, recipe.printed) = (20, rho, Some((printed, "")));
        recipe.extra = &[("steps", "1,2,3,5")];
        recipe
            .notes
            .push("the paper says \"a WideResnet\" only; the length of an inner step and m are not printed");
        recipes.push(recipe);
    }
    recipes.extend(figures());
    recipes
}

/// Tables 4 and 9: 80 % of noise has a radius of its own.
fn noise() -> [Recipe; 3] {
    let of = |name: &str, place, rho, extra, printed| {
        let mut recipe = Recipe::cifar(CIFAR_10, "resnet-32", 200);
        (recipe.name, recipe.place, recipe.command) = (name.to_owned(), place, "noise");
        (recipe.rho, recipe.extra, recipe.printed) = (rho, extra, Some((printed, "")));
        recipe
            .notes
            .push("rate, decay, batch and augmentation of ResNet-32 are not printed: WRN-28-10's were taken");
        recipe
    };
    let mild = "100 - 95.1, 93.4, 90.5; bootstrapped 100 - 95.4, 94.2, 91.8";
    [
        of("table4-20-40-60", "Table 4", 0.1, &[("rates", "0.2,0.4,0.6")], mild),
        of("table4-80", "Table 4", 0.05, &[("rates", "0.8")], "100 - 77.9; bootstrapped 100 - 79.9"),
        of(
            "table9",
            "Table 9",
            0.1,
            &[("rates", "0.2,0.4,0.6,0.8"), ("rhos", "0,0.01,0.02,0.05,0.1,0.2,0.5")],
            "lowest at rho 0.1 for 20, 40, 60 % of noise: 4.6, 6.0, 8.7; at 0.05 for 80 %: 21.0",
        ),
    ]
}

/// The figures that are experiments of their own.
fn figures() -> Vec<Recipe> {
    let figure = |name: &str, place, command, model, epochs| {
        let mut recipe = Recipe::cifar(CIFAR_10, model, epochs);
        (recipe.name, recipe.place, recipe.command) = (name.to_owned(), place, command);
        recipe
    };
    let mut landscape =
        figure("figure1-landscape", "Figure 1, middle and right", "landscape", "resnet-56-noshort", 300);
    (landscape.batch, landscape.m, landscape.seeds) = (128, 128, 1);
    landscape.extra = &[("points", "51")];
    landscape.notes.push(
        "network, batch, rate and decay are those of the checkpoint that the paper shows (Li et al. 2018)",
    );
    let mut spectrum = figure("figure3-spectrum", "Figure 3, left", "spectrum", "wrn-40-10-nobn", 300);
    (spectrum.lr, spectrum.seeds) = (0.02, 1);
    spectrum.notes.push("\"300 steps\" are read as epochs; rate, decay and initialisation without batch normalisation are ours");
    let mut m = figure("figure3-m", "Figure 3, middle", "ablate m", "resnet-20", 200);
    m.extra = &[("m", "4,16,64,256"), ("rhos", "0.01,0.02,0.05,0.1,0.2,0.5")];
    m.notes.push("\"a small ResNet\" is read as resnet-20; the sizes of groups are read off the figure");
    let mut gap = figure("figure3-gap", "Figure 3, right", "predict-gap", "wrn-16-1", 100);
    gap.seeds = 2;
    gap.notes.push("networks of our own in the place of those of the competition, which are not to be had");
    vec![landscape, spectrum, m, gap]
}

/// The recipe as the code has it, and as the text does.
fn both(recipes: &mut Vec<Recipe>, code: Recipe) {
    let name = format!("{}-as-written", code.name);
    let text = Recipe { name, variant: Variant::Text, ..code.clone() };
    recipes.extend([code, text]);
}
