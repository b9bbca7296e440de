// A block of threads that multiplies two matrices tile by tile: C[rows x columns] = A[rows x depth] B[depth x columns].
//
// The operands are read through `fetch` functions, which is where the convolutions differ. While a tile is multiplied
// out of shared memory the next one is on its way into registers, and then into the other half of shared memory: one
// barrier a tile. The terms of an element are added in the order of depth.
#pragma once

template <int ROWS_, int COLUMNS_, int DEPTH_, int ROWS_A_THREAD_, int COLUMNS_A_THREAD_>
struct Tile {
    static constexpr int ROWS = ROWS_, COLUMNS = COLUMNS_, DEPTH = DEPTH_;
    static constexpr int ROWS_A_THREAD = ROWS_A_THREAD_, COLUMNS_A_THREAD = COLUMNS_A_THREAD_;
    static constexpr int ACROSS = COLUMNS / COLUMNS_A_THREAD;
    static constexpr int THREADS = (ROWS / ROWS_A_THREAD) * ACROSS;
    // A thread's rows and columns come in fours, this far apart.
    static constexpr int ROW_STEP = ROWS * 4 / ROWS_A_THREAD, COLUMN_STEP = COLUMNS * 4 / COLUMNS_A_THREAD;

    static __device__ int row(int i) { return (threadIdx.x / ACROSS) * 4 + (i / 4) * ROW_STEP + i % 4; }
    static __device__ int column(int j) { return (threadIdx.x % ACROSS) * 4 + (j / 4) * COLUMN_STEP + j % 4; }
};

// Much work for each value read, for large matrices.
using Wide = Tile<128, 64, 8, 8, 8>;
// Little waste where there are few rows or columns.
using Narrow = Tile<64, 32, 16, 4, 4>;

// How an operand's tile, DEPTH x LINES of it, is spread over the threads that read it: neighbours read neighbours, in
// depth or across it.
template <class T, int LINES, bool ALONG_DEPTH>
struct Spread {
    static constexpr int COUNT = LINES * T::DEPTH / T::THREADS;
    static constexpr int NEIGHBOURS = ALONG_DEPTH ? T::DEPTH : LINES;
    static constexpr int STEP = T::THREADS / NEIGHBOURS;
    static_assert(T::THREADS % NEIGHBOURS == 0 && COUNT * T::THREADS == LINES * T::DEPTH, "a tile divides evenly");

    // Of a thread's value i the line and the depth within the tile. One of them is the same for all i.
    static __device__ int line(int i) {
        return ALONG_DEPTH ? threadIdx.x / NEIGHBOURS + i * STEP : threadIdx.x % NEIGHBOURS;
    }
    static __device__ int depth(int i) {
        return ALONG_DEPTH ? threadIdx.x % NEIGHBOURS : threadIdx.x / NEIGHBOURS + i * STEP;
    }
};

// Four floats of padding keep rows aligned for vector reads and put neighbours in depth in different banks.
// Declared in the kernel itself: within a function of internal linkage its name would hold a hash of the source's path.
template <class T>
struct alignas(16) Shared {
    float a[2][T::DEPTH][T::ROWS + 4];
    float b[2][T::DEPTH][T::COLUMNS + 4];
};

template <int COUNT>
static __device__ void read_fours(const float* from, int step, float (&to)[COUNT]) {
#pragma unroll
    for (int i = 0; i < COUNT; i += 4) {
        const float4 four = *reinterpret_cast<const float4*>(from + (i / 4) * step);
        to[i] = four.x;
        to[i + 1] = four.y;
        to[i + 2] = four.z;
        to[i + 3] = four.w;
    }
}

// `a` and `b` have a type `Lines` (a Spread), a type `Value` of what they read and `fetch(depth, values)`, which reads this thread's
// share of the tile that begins at that depth; outside of the matrices it must give 0.
template <class T, class A, class B>
static __device__ void multiply(
    A& a, B& b, unsigned int begin, unsigned int end, Shared<T>& shared,
    float (&sum)[T::ROWS_A_THREAD][T::COLUMNS_A_THREAD]) {
    using InA = typename A::Lines;
    using InB = typename B::Lines;
    float next_a[InA::COUNT], next_b[InB::COUNT];
    const auto put = [&](int half) {
#pragma unroll
        for (int i = 0; i < InA::COUNT; i++) shared.a[half][InA::depth(i)][InA::line(i)] = next_a[i];
#pragma unroll
        for (int i = 0; i < InB::COUNT; i++) shared.b[half][InB::depth(i)][InB::line(i)] = next_b[i];
    };
#pragma unroll
    for (int i = 0; i < T::ROWS_A_THREAD; i++)
#pragma unroll
        for (int j = 0; j < T::COLUMNS_A_THREAD; j++) sum[i][j] = 0.0f;

    a.fetch(begin, next_a);
    b.fetch(begin, next_b);
    put(0);
    __syncthreads();
    int half = 0;
    for (unsigned int at = begin; at < end; at += T::DEPTH) {
        const bool more = at + T::DEPTH < end;
        if (more) {
            a.fetch(at + T::DEPTH, next_a);
            b.fetch(at + T::DEPTH, next_b);
        }
#pragma unroll
        for (int k = 0; k < T::DEPTH; k++) {
            float left[T::ROWS_A_THREAD], right[T::COLUMNS_A_THREAD];
            read_fours(&shared.a[half][k][T::row(0)], T::ROW_STEP, left);
            read_fours(&shared.b[half][k][T::column(0)], T::COLUMN_STEP, right);
#pragma unroll
            for (int i = 0; i < T::ROWS_A_THREAD; i++)
#pragma unroll
                for (int j = 0; j < T::COLUMNS_A_THREAD; j++) sum[i][j] = fmaf(left[i], right[j], sum[i][j]);
        }
        if (more) put(half ^ 1);
        half ^= 1;
        __syncthreads();
    }
}

// Calls `element(row, column, value)` for each of this thread's elements that lie inside the matrix.
template <class T, class Element>
static __device__ void each(
    const float (&sum)[T::ROWS_A_THREAD][T::COLUMNS_A_THREAD], unsigned int rows, unsigned int columns,
    Element element) {
#pragma unroll
    for (int i = 0; i < T::ROWS_A_THREAD; i++) {
        const unsigned int row = blockIdx.x * T::ROWS + T::row(i);
        if (row >= rows) continue;
#pragma unroll
        for (int j = 0; j < T::COLUMNS_A_THREAD; j++) {
            const unsigned int column = blockIdx.y * T::COLUMNS + T::column(j);
            if (column < columns) element(row, column, sum[i][j]);
        }
    }
}

// The product as the convolutions use it: in single precision, one fused multiplication and addition after the other.
template <class T>
struct Floats {
    using Tile = T;
    using Shared = ::Shared<T>;
    using Sum = float[T::ROWS_A_THREAD][T::COLUMNS_A_THREAD];

    template <class A, class B>
    static __device__ void multiply(A& a, B& b, unsigned int begin, unsigned int end, Shared& shared, Sum& sum) {
        ::multiply<T>(a, b, begin, end, shared, sum);
    }

    template <class Element>
    static __device__ void each(const Sum& sum, unsigned int rows, unsigned int columns, Element element) {
        ::each<T>(sum, rows, columns, element);
    }
};
