//! Pictures as pixels, for programs that do not show SVG.

use std::sync::{Arc, OnceLock};

use resvg::{
    render,
    tiny_skia::{Pixmap, Transform},
    usvg::{
        Options, Tree,
        fontdb::{Database, Source},
    },
};

use super::plot::DrawError;

/// Pixels of a PNG for each of the SVG's, in width and height.
pub const SCALE: f32 = 2.0;

/// The one font of all pictures, so that they look the same on every machine, with fonts or without.
fn fonts() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    let load = || {
        let mut fonts = Database::new();
        fonts.load_font_source(Source::Binary(Arc::new(dejavu::sans::regular())));
        fonts.set_sans_serif_family("DejaVu Sans");
        Arc::new(fonts)
    };
    FONTS.get_or_init(load).clone()
}

/// `svg` as a PNG file, twice as wide and high in pixels.
///
/// # Errors
/// [`DrawError::Draw`], when it is no SVG or too large.
pub fn png(svg: &str) -> Result<Vec<u8>, DrawError> {
    let options = Options { fontdb: fonts(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(DrawError::draw)?;
    let size = tree.size().to_int_size().scale_by(SCALE);
    let pixels = size.and_then(|size| Pixmap::new(size.width(), size.height()));
    let mut pixels = pixels.ok_or_else(|| DrawError::draw("it has more pixels than fit into memory"))?;
    render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(DrawError::draw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(content: &str) -> Pixmap {
        let svg =
            format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"20\">{content}</svg>");
        Pixmap::decode_png(&png(&svg).unwrap()).unwrap()
    }

    #[test]
    fn shapes_are_where_they_are_at_twice_the_size() {
        let found = pixels("<rect x=\"10\" y=\"5\" width=\"10\" height=\"10\" fill=\"#0072B2\"/>");
        assert_eq!((found.width(), found.height()), (80, 40));
        for y in 0..40 {
            for x in 0..80 {
                let inside = (20..40).contains(&x) && (10..30).contains(&y);
                let color = found.pixel(x, y).unwrap().demultiply();
                let expected = if inside { (0, 114, 178, 255) } else { (0, 0, 0, 0) };
                assert_eq!((color.red(), color.green(), color.blue(), color.alpha()), expected, "{x} {y}");
            }
        }
    }

    /// Whatever fonts the machine has. Letters that a picture uses and the font lacks would be boxes, all alike.
    #[test]
    fn every_letter_of_the_pictures_is_drawn() {
        let ink = |text: &str| {
            let found = pixels(&format!(
                "<text x=\"2\" y=\"16\" font-family=\"sans-serif\" font-size=\"16\">{text}</text>"
            ));
            found.pixels().iter().map(|pixel| pixel.alpha()).collect::<Vec<u8>>()
        };
        let missing = ink("\u{e000}");
        for letter in ["a", "\u{3c1}", "\u{b1}", "\u{2212}", "\u{d7}", "%", "\u{221e}"] {
            let found = ink(letter);
            assert!(found.iter().filter(|&&alpha| alpha > 128).count() > 8, "{letter}");
            assert_ne!(found, missing, "{letter}");
        }
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(png("<html/>").is_err());
    }
}
