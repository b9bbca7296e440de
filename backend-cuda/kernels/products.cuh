// What the products of two vectors come to. The host's side is src/kernels/products.rs.
#pragma once

// a.b / b.b and ||a|| / ||b||, each 0 where b is zero.
struct Quotients {
    float projection;
    float ratio;
};
