/* Messages and computing time of a training step on ranks, for SimGrid's simulator: what sam-mpi sends, without networks.
 *
 * smpirun ... ./step METHOD WEIGHTS GRADIENT_MS MEMORY_GBS STEPS OVERLAP
 *
 * METHOD: sgd, per-rank (SAM with an eps-hat of each rank: two gradients, one sum) or whole (SAM with one eps-hat: a sum for each gradient).
 * GRADIENT_MS: a rank's forward and backward pass. MEMORY_GBS: what it reads and writes a second, when it copies and adds up. OVERLAP: 0 or 1.
 * Rank 0 prints milliseconds a step.
 *
 * A gradient is cut as sam-train/src/ranks/shards.rs cuts it, and each message goes as in src/world.rs and src/background.rs: an all-to-all,
 * additions, an all-gather. Time is the simulation's, and so is computing; buffers are one memory for all ranks, since nobody looks at sums. */

#include <mpi.h>
#include <smpi/smpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 1024,
    MESSAGES = 32,
    LEAST = 1 << 14,
    /* Entries that a sum at once takes at a time. */
    AT_A_TIME = 1 << 22,
    /* Sums that are under way at a time. */
    UNDER_WAY = 4,
    /* Of three parts of a gradient's time, two are the backward pass. */
    BACKWARD = 2,
    PARTS = 3
};

static double gradient_s, memory_bytes_a_s;
static long weights;
static int ranks, overlaps;
static float *sent, *received;

struct sum {
    MPI_Request request;
    long part;
    int is_added;
};

static void compute(double seconds) { smpi_execute(seconds); }

/* A pass over memory of so many floats, read and written. */
static void touch(long floats) { compute(4.0 * floats / memory_bytes_a_s); }

static void sum_at_once(void) {
    for (long done = 0; done < weights; done += AT_A_TIME) {
        long length = weights - done < AT_A_TIME ? weights - done : AT_A_TIME, part = (length + ranks - 1) / ranks;
        touch(2 * length);
        MPI_Alltoall(sent, part, MPI_FLOAT, received, part, MPI_FLOAT, MPI_COMM_WORLD);
        touch(length + part);
        MPI_Allgather(received, part, MPI_FLOAT, sent, part, MPI_FLOAT, MPI_COMM_WORLD);
        touch(2 * length);
    }
}

static void collect(struct sum *sum, MPI_Comm collecting) {
    touch(sum->part * (ranks + 1));
    MPI_Iallgather(received, sum->part, MPI_FLOAT, sent, sum->part, MPI_FLOAT, collecting, &sum->request);
    sum->is_added = 1;
}

/* Moves on those of the sums first..end that have arrived. */
static void proceed(struct sum *sums, int first, int end, MPI_Comm collecting) {
    for (int number = first, arrived = 1; number < end && arrived; number++) {
        if (sums[number].is_added) continue;
        MPI_Test(&sums[number].request, &arrived, MPI_STATUS_IGNORE);
        if (arrived) collect(&sums[number], collecting);
    }
}

static void end_oldest(struct sum *oldest, MPI_Comm collecting) {
    if (!oldest->is_added) {
        MPI_Wait(&oldest->request, MPI_STATUS_IGNORE);
        collect(oldest, collecting);
    }
    MPI_Wait(&oldest->request, MPI_STATUS_IGNORE);
}

/* A gradient whose sums begin while the rest of it is computed. */
static void gradient_and_sum(MPI_Comm spreading, MPI_Comm collecting) {
    long size = (weights + MESSAGES - 1) / MESSAGES;
    size = (size + BLOCK - 1) / BLOCK * BLOCK;
    if (size < LEAST) size = LEAST;
    int messages = (weights + size - 1) / size, oldest = 0;
    struct sum sums[MESSAGES];
    compute(gradient_s * (PARTS - BACKWARD) / PARTS);
    for (int number = 0; number < messages; number++) {
        long length = number + 1 < messages ? size : weights - number * size;
        compute(gradient_s * BACKWARD / PARTS * length / weights);
        if (number - oldest == UNDER_WAY) {
            end_oldest(&sums[oldest], collecting);
            proceed(sums, oldest + 1, number, collecting);
            touch(2 * size);
            oldest++;
        }
        sums[number] = (struct sum){.part = (length + ranks - 1) / ranks};
        touch(2 * length);
        MPI_Ialltoall(sent, sums[number].part, MPI_FLOAT, received, sums[number].part, MPI_FLOAT, spreading, &sums[number].request);
        proceed(sums, oldest, number + 1, collecting);
    }
    for (; oldest < messages; oldest++) {
        end_oldest(&sums[oldest], collecting);
        proceed(sums, oldest + 1, messages, collecting);
        touch(2 * size);
    }
}

int main(int count, char **arguments) {
    MPI_Init(&count, &arguments);
    if (count != 7) {
        fprintf(stderr, "expected METHOD WEIGHTS GRADIENT_MS MEMORY_GBS STEPS OVERLAP\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    const char *method = arguments[1];
    int steps = atoi(arguments[5]), rank;
    weights = atol(arguments[2]);
    gradient_s = atof(arguments[3]) / 1e3;
    memory_bytes_a_s = atof(arguments[4]) * 1e9;
    overlaps = atoi(arguments[6]);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm spreading, collecting;
    MPI_Comm_dup(MPI_COMM_WORLD, &spreading);
    MPI_Comm_dup(MPI_COMM_WORLD, &collecting);
    long most = weights + (long)ranks * BLOCK;
    sent = SMPI_SHARED_MALLOC(most * sizeof(float));
    received = SMPI_SHARED_MALLOC(most * sizeof(float));
    int gradients = strcmp(method, "sgd") ? 2 : 1, sums = strcmp(method, "whole") ? 1 : 2;
    MPI_Barrier(MPI_COMM_WORLD);
    double began = MPI_Wtime();
    for (int step = 0; step < steps; step++) {
        for (int gradient = 0; gradient < gradients; gradient++) {
            int is_summed = gradient >= gradients - sums;
            if (is_summed && overlaps) {
                gradient_and_sum(spreading, collecting);
            } else {
                compute(gradient_s);
                if (is_summed) sum_at_once();
            }
        }
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) printf("%.3f ms a step\n", 1e3 * (MPI_Wtime() - began) / steps);
    SMPI_SHARED_FREE(sent);
    SMPI_SHARED_FREE(received);
    MPI_Finalize();
    return 0;
}
