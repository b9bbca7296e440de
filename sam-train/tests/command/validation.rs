//! What is said of figures that are of held-out training images: never that they are of the test set.

use std::fs;

use super::Place;

const TRAIN: &str = "train --model mlp-8 --limit 200 --batch 20 --epochs 2 --threads 1";

/// What is said of `text` may name the test set only where it says that it was not looked at.
fn names_no_test(text: &str, what: &str) {
    let left = text.replace("not on the test set", "");
    let line = left.lines().find(|line| line.contains("test"));
    assert!(line.is_none(), "{what}: {line:?}");
    assert!(left.contains("validation"), "{what}: {left}");
}

/// What a command has said on stderr and printed.
fn said(place: &Place, arguments: &str) -> String {
    let output = place.run(arguments);
    let said = [output.stderr, output.stdout].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(output.status.success(), "{arguments}: {said}");
    said
}

#[test]
fn a_run_on_held_out_images_calls_its_figures_so_wherever_they_are_shown() {
    let place = Place::new();
    names_no_test(&said(&place, &format!("{TRAIN} --validation 0.2 --tensorboard --out a")), "sam train");
    names_no_test(&said(&place, &format!("{TRAIN} --validation 0.2 --seed 1 --out b")), "sam train");
    names_no_test(&said(&place, "diff a b"), "sam diff");
    names_no_test(&said(&place, "evaluate a"), "sam evaluate");
    names_no_test(&fs::read_to_string(place.path("a/curves.svg")).unwrap(), "the curves");
    said(&place, "report a --out page.html");
    names_no_test(&fs::read_to_string(place.path("page.html")).unwrap(), "the page");
    said(&place, "export a --out a/events.out.tfevents.x --format tensorboard");
    for entry in fs::read_dir(place.path("a")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("tfevents") {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            assert!(text.contains("loss/validation") && text.contains("error/validation"), "{path:?}");
            assert!(!text.contains("/test"), "{path:?}");
        }
    }
    // On the test set they are called what they were.
    let whole = said(&place, &format!("{TRAIN} --out c"));
    assert!(whole.contains("test error") && !whole.contains("validation"), "{whole}");
    let mixed = said(&place, "diff a c");
    assert!(mixed.contains("| validation error (%) |") && mixed.contains("| test error (%)  "), "{mixed}");
}

#[test]
fn a_network_that_has_learnt_nothing_has_not_learnt_the_images_that_it_was_evaluated_on() {
    let place = Place::new();
    let lost = said(&place, &format!("{TRAIN} --validation 0.2 --lr 0 --out a"));
    assert!(lost.contains("has not learnt"), "{lost}");
    names_no_test(&lost, "sam train");
}

#[test]
fn experiments_on_held_out_images_call_their_figures_so() {
    let place = Place::new();
    let common = "--model mlp-8 --limit 200 --batch 20 --validation 0.2 --epochs 2 --threads 1";
    let few = format!("{common} --seeds 2");
    let cases = [
        (format!("compare {few} --label-noise 0,0.4"), "compare.svg"),
        (format!("compare {}", few.replace("mlp-8", "mlp-8,mlp-16")), "compare.svg"),
        (format!("noise {few} --rates 0.4 --alpha 1"), "noise.svg"),
        (format!("ablate variants {few}"), "variants.svg"),
        (format!("ablate m {few} --m 10,20 --rhos 0.05"), "m.svg"),
        (format!("finetune {few} --tune-epochs 2"), "finetune.svg"),
        (format!("landscape {common} --points 3"), ""),
        (format!("predict-gap {few} --m 10,20 --batches 20 --images 40"), "predict-gap.svg"),
        (format!("bound {common}"), ""),
    ];
    for (number, (arguments, picture)) in cases.iter().enumerate() {
        let out = format!("out-{number}");
        let text = said(&place, &format!("{arguments} --out {out}"));
        // The theorem is about errors in general, whatever images these are counted on.
        names_no_test(&text.replace("Bound on the test error", ""), arguments);
        if !picture.is_empty() {
            names_no_test(&fs::read_to_string(place.path(&out).join(picture)).unwrap(), arguments);
        }
    }
    // A grid holds images out of those that are left, too.
    let grid = said(&place, &format!("grid {few} --rhos 0.05 --out grid"));
    names_no_test(&grid, "grid");
}

#[test]
fn runs_on_images_that_a_search_holds_out_are_told_apart_from_those_on_the_test_set() {
    let place = Place::new();
    let told = said(
        &place,
        "grid --model mlp-8 --limit 200 --batch 20 --epochs 2 --threads 1 --seeds 1 --rhos 0.05 --sgd-epochs 0 --out grid",
    );
    let count =
        |text: &str| told.lines().filter(|line| line.starts_with("run ") && line.contains(text)).count();
    assert_eq!((count(": validation error "), count(": test error ")), (2, 2), "{told}");
}
