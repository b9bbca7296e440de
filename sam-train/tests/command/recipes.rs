//! Recipes of the paper through the program: listed, trained small, and named in every output.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::Value;

/// What the program prints in `place`.
fn sam(place: &Path, arguments: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sam"))
        .args(arguments.split(' ').filter(|word| !word.is_empty()))
        .current_dir(place)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The digits stand in for data that a machine need not have; the rest is the recipe's.
const SMALL: &str = "--scale 0.002 --data digits --threads 2 --json";
const SCALED: &str =
    "scaled by 0.002: 1 of 200 epochs, 100 of 50000 training images in batches of 96, wrn-28-1 for wrn-28-10";

#[test]
fn recipes_are_listed_by_name_and_each_says_its_command_or_what_it_needs() {
    let place = tempfile::tempdir().unwrap();
    let lines: Vec<Value> =
        sam(place.path(), "recipe --json").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: BTreeSet<&str> = lines.iter().map(|line| line["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), lines.len());
    for table in ["Tables 1 and 6", "Table 2", "Tables 3 and 8", "Tables 5 and 7", "Table 12 and figure 7"] {
        assert!(lines.iter().any(|line| line["place"] == table), "{table}");
    }
    for figure in ["figure1-landscape", "figure3-spectrum", "figure3-m", "figure3-gap"] {
        assert!(names.contains(figure), "{figure}");
    }
    for line in &lines {
        assert!(line["command"].as_str().unwrap().starts_with("sam "), "{line}");
        assert_eq!(
            line["command"].as_str().unwrap().contains("--decay-in loss"),
            line["follows"] == "code",
            "{line}"
        );
    }
    // The paper's table 6 for WRN-28-10 on CIFAR-100, and table 8 for Flowers.
    let of = |name: &str| lines.iter().find(|line| line["name"] == name).unwrap();
    let wrn = of("table1-cifar-100-wrn-28-10-1800-cutout");
    let numbers =
        ["lr", "weight_decay", "rho", "epochs", "batch", "m", "seeds"].map(|key| wrn[key].as_f64().unwrap());
    assert_eq!(numbers, [0.05, 0.001, 0.1, 1800.0, 256.0, 32.0, 5.0]);
    let flowers = of("table3-flowers-b7");
    assert_eq!(flowers["rho"].as_f64(), Some(0.2));
    // 5,000 steps of 1,024 of 2,040 images.
    assert_eq!(flowers["epochs"].as_u64(), Some(2510));
    assert!(flowers["needs"].to_string().contains("Flowers-102"), "{flowers}");
    // What a machine does not have is said with where it is to be had.
    let output = Command::new(env!("CARGO_BIN_EXE_sam"))
        .args(["recipe", "table5-svhn-wrn-28-10-basic"])
        .env("SAM_DATA", place.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("needs: ") && text.contains("svhn") && text.contains("--data-dir"), "{text}");
    let text = sam(place.path(), "recipe table1-cifar-10-wrn-28-10-200-basic --scale 0.002");
    assert!(text.contains(SCALED) && text.contains("2.7 \u{b1} 0.1; without SAM 3.5 \u{b1} 0.1"), "{text}");
}

#[test]
fn a_recipe_trains_with_what_it_says_and_every_output_says_how_far_it_was_shrunk() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let recipe = "--recipe table1-cifar-10-wrn-28-10-200-basic";
    let result: Value =
        serde_json::from_str(&sam(place, &format!("train {recipe} {SMALL} --out run"))).unwrap();
    assert!(result["recipe"].as_str().unwrap().contains(SCALED), "{result}");
    assert_eq!((&result["model"], &result["m"]), (&"wrn-28-1".into(), &32.into()));
    let config = fs::read_to_string(place.join("run/config.toml")).unwrap();
    for line in
        ["decay-in = \"loss\"", "clip-norm = 5.0", "groups = 3", "lr = 0.1", "nesterov = true", SCALED]
    {
        assert!(config.contains(line), "no {line} in {config}");
    }
    let written = sam(place, &format!("train {recipe}-as-written {SMALL} --rho 0.1 --out written"));
    assert!(written.contains("\"rho\":0.1"), "{written}");
    let config = fs::read_to_string(place.join("written/config.toml")).unwrap();
    assert!(config.contains("nesterov = false") && !config.contains("clip-norm"), "{config}");

    let line: Value =
        serde_json::from_str(&sam(place, &format!("compare {recipe} {SMALL} --seeds 2 --out c"))).unwrap();
    assert!(line["recipe"].as_str().unwrap().contains(SCALED), "{line}");
    for file in ["c/table.md", "c/result.json", "c/compare.svg"] {
        assert!(fs::read_to_string(place.join(file)).unwrap().contains("scaled by 0.002"), "{file}");
    }
    sam(place, "report run c --out page.html");
    assert!(fs::read_to_string(place.join("page.html")).unwrap().matches(SCALED).count() >= 2);
}

#[test]
fn the_recipe_of_another_experiment_is_that_experiment_s() {
    let place = tempfile::tempdir().unwrap();
    let arguments =
        format!("ablate inner-steps --recipe table12-cifar-10 {SMALL} --seeds 1 --steps 1,2 --out steps");
    let lines = sam(place.path(), &arguments);
    assert_eq!(lines.lines().count(), 2);
    assert!(lines.lines().all(|line| line.contains(SCALED)), "{lines}");
}
