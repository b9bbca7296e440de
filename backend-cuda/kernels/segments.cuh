// Parameters that are perturbed segment by segment. The host's side is src/kernels/segments.rs.
#pragma once

// At most CHUNK neighbouring entries of one segment: what a block of threads works on.
struct Piece {
    unsigned int first;
    unsigned int len;
    unsigned int segment;
    // Whether an adaptive rule is adaptive here.
    unsigned int adaptive;
    // The rule's radius is multiplied by this; 0 leaves the piece out of norm and perturbation.
    float radius;
};

// The pieces of which a norm is made.
struct Pieces {
    unsigned int first;
    unsigned int count;
};
