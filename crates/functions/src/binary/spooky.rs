//! SpookyHash V2, Bob Jenkins' hash of 128 bits, of which Trino returns the first 32 or 64.

/// What the states start with besides the seed: not 0, odd, and no regular bits.
const START: u64 = 0xdead_beef_dead_beef;

/// Bytes of a block of the long form.
const BLOCK: usize = 96;

/// The length from which the long form is used.
const LONG: usize = 2 * BLOCK;

const MIXING: [u32; 12] = [11, 32, 43, 31, 17, 28, 39, 57, 55, 54, 22, 46];
const ENDING: [u32; 12] = [44, 15, 34, 21, 38, 33, 10, 13, 38, 53, 42, 54];

/// Returns the first 64 bits of the hash with the seed 0.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    match bytes.len() < LONG {
        true => short(bytes),
        false => long(bytes),
    }
}

/// Up to eight bytes as a number, little-endian.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

/// The words of bytes, whose number is a multiple of eight.
fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut words = [0; N];
    for (to, from) in words.iter_mut().zip(bytes.chunks(8)) {
        *to = word(from);
    }
    words
}

fn short(bytes: &[u8]) -> u64 {
    let mut state = [0, 0, START, START];
    let add = |[c, d]: [u64; 2], state: &mut [u64; 4]| {
        state[2] = state[2].wrapping_add(c);
        state[3] = state[3].wrapping_add(d);
    };
    let mut blocks = bytes.chunks_exact(32);
    for block in &mut blocks {
        let [c, d, a, b] = words(block);
        add([c, d], &mut state);
        mixed_short(&mut state);
        state[0] = state[0].wrapping_add(a);
        state[1] = state[1].wrapping_add(b);
    }
    let mut rest = blocks.remainder();
    if let Some((half, after)) = rest.split_at_checked(16) {
        add(words(half), &mut state);
        mixed_short(&mut state);
        rest = after;
    }
    state[3] = state[3].wrapping_add((bytes.len() as u64) << 56);
    match rest {
        [] => add([START, START], &mut state),
        _ => {
            let (low, high) = rest.split_at(rest.len().min(8));
            add([word(low), word(high)], &mut state);
        }
    }
    ended_short(state)
}

fn mixed_short(state: &mut [u64; 4]) {
    const TURNS: [u32; 12] = [50, 52, 30, 41, 54, 48, 38, 37, 62, 34, 5, 36];
    for (step, turn) in TURNS.into_iter().enumerate() {
        let at = |offset: usize| (step + offset) % 4;
        let turned = state[at(2)].rotate_left(turn).wrapping_add(state[at(3)]);
        state[at(2)] = turned;
        state[at(0)] ^= turned;
    }
}

fn ended_short(mut state: [u64; 4]) -> u64 {
    const TURNS: [u32; 11] = [15, 52, 26, 51, 28, 9, 47, 54, 32, 25, 63];
    for (step, turn) in TURNS.into_iter().enumerate() {
        let (to, from) = ((step + 3) % 4, (step + 2) % 4);
        state[to] ^= state[from];
        state[from] = state[from].rotate_left(turn);
        state[to] = state[to].wrapping_add(state[from]);
    }
    state[0]
}

fn long(bytes: &[u8]) -> u64 {
    let mut state = [0; 12];
    for place in [2, 5, 8, 11] {
        state[place] = START;
    }
    let mut blocks = bytes.chunks_exact(BLOCK);
    for block in &mut blocks {
        let data: [u64; 12] = words(block);
        for (at, turn) in MIXING.into_iter().enumerate() {
            let (next, before, last) = ((at + 2) % 12, (at + 10) % 12, (at + 11) % 12);
            state[at] = state[at].wrapping_add(data[at]);
            state[next] ^= state[before];
            state[last] ^= state[at];
            state[at] = state[at].rotate_left(turn);
            state[last] = state[last].wrapping_add(state[(at + 1) % 12]);
        }
    }
    let rest = blocks.remainder();
    let mut block = [0; BLOCK];
    for (to, from) in block.iter_mut().zip(rest) {
        *to = *from;
    }
    // The last byte is the length of the rest, which is less than a block.
    block[BLOCK - 1] = rest.len() as u8;
    let data: [u64; 12] = words(&block);
    for (state, data) in state.iter_mut().zip(data) {
        *state = state.wrapping_add(data);
    }
    for _ in 0..3 {
        for (at, turn) in ENDING.into_iter().enumerate() {
            let (last, one, two) = ((at + 11) % 12, (at + 1) % 12, (at + 2) % 12);
            state[last] = state[last].wrapping_add(state[one]);
            state[two] ^= state[last];
            state[one] = state[one].rotate_left(turn);
        }
    }
    state[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some of the answers that the hash's author published: of the first `n` of the bytes from
    /// 128 on.
    #[test]
    fn hashes_are_those_of_the_author() {
        let bytes: Vec<u8> = (0..512u32).map(|byte| (byte + 128) as u8).collect();
        for (length, expected) in [
            (0, 0x6bf5_0919),
            (1, 0x70de_1d26),
            (15, 0x83ec_01f9),
            (16, 0xf274_736c),
            (63, 0x09c1_afb4),
            (191, 0xe13d_9e19),
            (192, 0x77e0_12bd),
            (255, 0x2f40_ee0b),
            (256, 0x38ce_bf03),
            (511, 0xcc1c_8250),
        ] {
            assert_eq!(hash(&bytes[..length]) as u32, expected, "{length}");
        }
    }
}
