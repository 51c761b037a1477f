use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn the_wait_is_the_logarithm_of_the_draw(draw in any::<u64>(), power in 0..64_u32) {
        prop_assert_eq!(waiting(1 << power), u64::from(64 - power) << FRACTION_BITS);
        prop_assert!((1..=64 << FRACTION_BITS).contains(&waiting(draw)));
        prop_assert!(waiting(draw) <= waiting(draw >> 1));
        // log(a²) is 2 log(a): what halves the error of a step halves that of all.
        let root = draw >> 32;
        let (once, twice) = (64 << FRACTION_BITS, waiting(root.wrapping_mul(root)));
        let of_root = once - waiting(root.max(1));
        prop_assert!(root == 0 || (once - twice).abs_diff(2 * of_root) <= 2, "{} {}", draw, root);
    }
}

#[test]
fn a_draw_of_nothing_waits_the_longest_and_the_highest_not_at_all() {
    assert_eq!((waiting(0), waiting(u64::MAX)), (64 << FRACTION_BITS, 1));
}
