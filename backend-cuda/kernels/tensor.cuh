// The product of tile.cuh on tensor cores (compute capability 8.0 and up): factors are TF32 (10 bits of fraction) or bfloat16
// (7), to which floats are rounded when they are put into shared memory; sums are floats.
//
// A warp has its own part of the block's tile and multiplies it by `mma.sync`, 16 rows and 8 columns at a time. In shared
// memory there are words: one TF32, or two bfloat16 that are neighbours in depth. An instruction takes eight words of depth
// of either, and a lane's elements are at the same places.
#pragma once

#include "element.cuh"
#include "tile.cuh"

template <int ROWS_, int COLUMNS_, int DOWN_, int ACROSS_>
struct TensorTile {
    static constexpr int ROWS = ROWS_, COLUMNS = COLUMNS_, DEPTH = 16;
    // Warps of a block, and what one has of its tile, in instructions.
    static constexpr int DOWN = DOWN_, ACROSS = ACROSS_, THREADS = 32 * DOWN * ACROSS;
    static constexpr int TALL = ROWS / DOWN / 16, WIDE = COLUMNS / ACROSS / 8;
    static_assert(TALL * DOWN * 16 == ROWS && WIDE * ACROSS * 8 == COLUMNS, "a tile divides evenly");

    static __device__ int lane() { return threadIdx.x % 32; }
    static __device__ int row(int i) { return (threadIdx.x / 32 / ACROSS * TALL + i) * 16; }
    static __device__ int column(int j) { return (threadIdx.x / 32 % ACROSS * WIDE + j) * 8; }
};

using WideTensor = TensorTile<128, 64, 4, 2>;
using NarrowTensor = TensorTile<64, 32, 2, 2>;

struct Tf32 {
    static constexpr int IN_A_WORD = 1;

    static __device__ void put(unsigned int& word, int, float value) {
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(word) : "f"(value));
    }

    static __device__ void multiply(float (&sum)[4], const unsigned int (&a)[4], const unsigned int (&b)[2]) {
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                     "{%0, %1, %2, %3};"
                     : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
};

struct Bf16 {
    static constexpr int IN_A_WORD = 2;

    static __device__ void put(unsigned int& word, int half, float value) {
        Bfloat16 rounded;
        rounded = value;
        put(word, half, rounded);
    }

    static __device__ void put(unsigned int& word, int half, Bfloat16 value) {
        reinterpret_cast<unsigned short*>(&word)[half] = value.bits;
    }

    static __device__ void multiply(float (&sum)[4], const unsigned int (&a)[4], const unsigned int (&b)[2]) {
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                     "{%0, %1, %2, %3};"
                     : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
};

// The product as the convolutions use it, with E the factors' elements.
template <class T, class E>
struct Words {
    using Tile = T;
    using Sum = float[T::TALL][T::WIDE][4];
    static constexpr int DEPTH = T::DEPTH / E::IN_A_WORD;

    // Eight words of padding put the four depths and eight lines that a warp reads at once in different banks.
    struct Shared {
        unsigned int a[2][DEPTH][T::ROWS + 8];
        unsigned int b[2][DEPTH][T::COLUMNS + 8];
    };

    template <class A, class B>
    static __device__ void multiply(A& a, B& b, unsigned int begin, unsigned int end, Shared& shared, Sum& sum) {
        using InA = typename A::Lines;
        using InB = typename B::Lines;
        typename A::Value next_a[InA::COUNT];
        typename B::Value next_b[InB::COUNT];
        const auto put = [&](int half) {
#pragma unroll
            for (int i = 0; i < InA::COUNT; i++) {
                const int depth = InA::depth(i);
                E::put(shared.a[half][depth / E::IN_A_WORD][InA::line(i)], depth % E::IN_A_WORD, next_a[i]);
            }
#pragma unroll
            for (int i = 0; i < InB::COUNT; i++) {
                const int depth = InB::depth(i);
                E::put(shared.b[half][depth / E::IN_A_WORD][InB::line(i)], depth % E::IN_A_WORD, next_b[i]);
            }
        };
#pragma unroll
        for (int i = 0; i < T::TALL; i++)
#pragma unroll
            for (int j = 0; j < T::WIDE; j++)
#pragma unroll
                for (int k = 0; k < 4; k++) sum[i][j][k] = 0.0f;

        a.fetch(begin, next_a);
        b.fetch(begin, next_b);
        put(0);
        __syncthreads();
        // Lanes are in eight groups of four: a group has a row of `a` and a column of `b`, its lanes depths.
        const int group = T::lane() / 4, member = T::lane() % 4;
        int half = 0;
        for (unsigned int at = begin; at < end; at += T::DEPTH) {
            const bool more = at + T::DEPTH < end;
            if (more) {
                a.fetch(at + T::DEPTH, next_a);
                b.fetch(at + T::DEPTH, next_b);
            }
#pragma unroll
            for (int step = 0; step < DEPTH; step += 8) {
                const int k = step + member;
                unsigned int left[T::TALL][4], right[T::WIDE][2];
#pragma unroll
                for (int i = 0; i < T::TALL; i++) {
                    const int row = T::row(i) + group;
                    left[i][0] = shared.a[half][k][row];
                    left[i][1] = shared.a[half][k][row + 8];
                    left[i][2] = shared.a[half][k + 4][row];
                    left[i][3] = shared.a[half][k + 4][row + 8];
                }
#pragma unroll
                for (int j = 0; j < T::WIDE; j++) {
                    const int column = T::column(j) + group;
                    right[j][0] = shared.b[half][k][column];
                    right[j][1] = shared.b[half][k + 4][column];
                }
#pragma unroll
                for (int i = 0; i < T::TALL; i++)
#pragma unroll
                    for (int j = 0; j < T::WIDE; j++) E::multiply(sum[i][j], left[i], right[j]);
            }
            if (more) put(half ^ 1);
            half ^= 1;
            __syncthreads();
        }
    }

    // Calls `element(row, column, value)` for each of this thread's elements that lie inside the matrix.
    template <class Element>
    static __device__ void each(const Sum& sum, unsigned int rows, unsigned int columns, Element element) {
        const int group = T::lane() / 4, member = T::lane() % 4;
#pragma unroll
        for (int i = 0; i < T::TALL; i++)
#pragma unroll
            for (int j = 0; j < T::WIDE; j++)
#pragma unroll
                for (int k = 0; k < 4; k++) {
                    const unsigned int row = blockIdx.x * T::ROWS + T::row(i) + group + k / 2 * 8;
                    const unsigned int column = blockIdx.y * T::COLUMNS + T::column(j) + member * 2 + k % 2;
                    if (row < rows && column < columns) element(row, column, sum[i][j][k]);
                }
    }
};
