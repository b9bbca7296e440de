// Neighbouring values moved sixteen bytes at a time. The values, and what is computed of them, are the same as one by one: so are
// the bits.
#pragma once

// Values of a type in sixteen bytes. The host's side is `Grid::vectors`.
template <class T>
constexpr unsigned int VECTOR = 16 / sizeof(T);

// COUNT neighbours, a multiple of sixteen bytes.
template <class T, unsigned int COUNT>
struct Group {
    static constexpr unsigned int MOVES = COUNT * sizeof(T) / 16;
    union {
        uint4 words[MOVES];
        T at[COUNT];
    };

    __device__ void read(const T* from) {
#pragma unroll
        for (unsigned int i = 0; i < MOVES; i++) words[i] = reinterpret_cast<const uint4*>(from)[i];
    }

    __device__ void write(T* to) const {
#pragma unroll
        for (unsigned int i = 0; i < MOVES; i++) reinterpret_cast<uint4*>(to)[i] = words[i];
    }
};

// One alone.
template <class T>
struct Group<T, 1> {
    T at[1];

    __device__ void read(const T* from) { at[0] = *from; }
    __device__ void write(T* to) const { *to = at[0]; }
};

// Whether sixteen bytes can be moved from or to all these addresses; null may be among them.
template <class... T>
static __device__ bool aligned(const T*... places) {
    return ((reinterpret_cast<unsigned long long>(places) | ...) & 15) == 0;
}

// y[i] = f(i, x[i]...) for i < n, as many entries a thread as sixteen bytes hold of y's; y may be any of the x. Buffers that don't
// begin at a multiple of sixteen bytes, and the entries behind the last whole vector, are moved one by one.
template <class F, class T, class... X>
static __device__ void map(unsigned int n, T* y, F f, const X*... x) {
    constexpr unsigned int COUNT = VECTOR<T>;
    const unsigned int first = (blockIdx.x * blockDim.x + threadIdx.x) * COUNT;
    if (first >= n) return;
    if (n - first < COUNT || !aligned(y, x...)) {
        for (unsigned int i = first; i < n && i < first + COUNT; i++) y[i] = f(i, float(x[i])...);
        return;
    }
    Group<T, COUNT> to;
    const auto fill = [&](Group<X, COUNT>... from) {
        (from.read(x + first), ...);
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) to.at[j] = f(first + j, float(from.at[j])...);
    };
    fill(Group<X, COUNT>()...);
    to.write(y + first);
}

// y[i] = f(i, x[i]...), or added to what is there, which is rounded by itself.
template <class F, class T, class... X>
static __device__ void map_onto(unsigned int n, T* y, int accumulate, F f, const X*... x) {
    if (accumulate)
        map(n, y, [=](unsigned int i, float before, auto... x) { return __fadd_rn(before, f(i, x...)); }, y, x...);
    else
        map(n, y, f, x...);
}

static __device__ void put(float* to, const Group<float, VECTOR<float>>& group) { group.write(to); }
static __device__ void put(const float*, const Group<float, VECTOR<float>>&) {}

// f(j, x[j]...) for the entries j from i on that sixteen bytes hold and that are before `end`, at once if `whole`; it may change those
// x that are not const.
template <class F, class... X>
static __device__ void visit(unsigned int i, unsigned int end, bool whole, F f, X*... x) {
    constexpr unsigned int COUNT = VECTOR<float>;
    if (!whole || end - i < COUNT) {
        for (unsigned int j = i; j < end && j < i + COUNT; j++) f(j, x[j]...);
        return;
    }
    const auto all = [&](auto... group) {
        (group.read(x + i), ...);
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) f(i + j, group.at[j]...);
        (put(x + i, group), ...);
    };
    all((static_cast<void>(x), Group<float, COUNT>())...);
}

// So for all entries before n, as many a thread as sixteen bytes hold.
template <class F, class... X>
static __device__ void update(unsigned int n, F f, X*... x) {
    const unsigned int first = (blockIdx.x * blockDim.x + threadIdx.x) * VECTOR<float>;
    if (first < n) visit(first, n, aligned(x...), f, x...);
}

// So for first <= i < end by a block of THREADS threads: each takes as many neighbours as sixteen bytes hold, then those behind all
// threads' own, however they are moved. Sums that it makes have the same bits at any address.
template <unsigned int THREADS, class F, class... X>
static __device__ void sweep(unsigned int first, unsigned int end, F f, X*... x) {
    constexpr unsigned int COUNT = VECTOR<float>;
    const bool whole = aligned((x + first)...);
    for (unsigned int i = first + threadIdx.x * COUNT; i < end; i += THREADS * COUNT) visit(i, end, whole, f, x...);
}
