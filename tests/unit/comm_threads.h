/* comm_threads.h - a communicator of threads in one process, for tests of train/comm.h.
 *
 * Each rank is a thread. A gather puts the block's address on a board, waits, copies all blocks, waits again.
 * It checks what the contract lets a transport rely on: the same number of bytes on every rank. */
#ifndef HONE_TESTS_COMM_THREADS_H
#define HONE_TESTS_COMM_THREADS_H
#include "support.h"

#include "tensor/pool.h"
#include "train/comm.h"

#include <pthread.h>

enum { COMM_THREADS_MAX = 8 };

typedef struct comm_threads {
    pthread_barrier_t barrier;
    pthread_mutex_t lock; /* for what only one rank may do at a time in one process */
    uint32_t size;
    const void *block[COMM_THREADS_MAX];
    size_t bytes[COMM_THREADS_MAX], calls;
} comm_threads;

/* What a rank's thread gets, and what it leaves behind. */
typedef struct comm_rank {
    comm_threads *board;
    hone_comm comm;
    hone_status (*body)(struct comm_rank *r);
    void *arg, *result;
    hone_status status;
    hone_error error;
    pthread_t thread;
} comm_rank;

static inline hone_status comm_threads_gather(const hone_comm *c, const void *mine, size_t bytes,
                                              void *all)
{
    comm_threads *b = c->ctx;
    hone_status s = HONE_OK;
    b->block[c->rank] = mine;
    b->bytes[c->rank] = bytes;
    pthread_barrier_wait(&b->barrier);
    for (uint32_t r = 0; r < c->size; r++) {
        char *to = (char *)all + r * bytes;
        if (b->bytes[r] != bytes)
            s = HONE_E_SHAPE;
        else if (to != b->block[r])
            memcpy(to, b->block[r], bytes);
    }
    if (c->rank == 0)
        b->calls++;
    pthread_barrier_wait(&b->barrier);
    return s < 0 ? hone_fail(s, "the ranks gave blocks of different sizes") : s;
}

static inline void *comm_threads_main(void *arg)
{
    comm_rank *r = arg;
    hone_fp_setup();
    r->status = r->body(r);
    r->error = *hone_error_get();
    return NULL;
}

/* Runs `body` on `size` ranks and waits for all of them. */
static inline void comm_threads_run(comm_rank *ranks, uint32_t size,
                                    hone_status (*body)(comm_rank *r), void *arg)
{
    static comm_threads board;
    memset(&board, 0, sizeof board);
    board.size = size;
    assert_int_equal(pthread_barrier_init(&board.barrier, NULL, size), 0);
    assert_int_equal(pthread_mutex_init(&board.lock, NULL), 0);
    memset(ranks, 0, size * sizeof *ranks);
    for (uint32_t r = 0; r < size; r++) {
        ranks[r].board = &board;
        ranks[r].comm = (hone_comm){r, size, &board, comm_threads_gather};
        ranks[r].body = body;
        ranks[r].arg = arg;
        assert_int_equal(pthread_create(&ranks[r].thread, NULL, comm_threads_main, &ranks[r]), 0);
    }
    for (uint32_t r = 0; r < size; r++)
        assert_int_equal(pthread_join(ranks[r].thread, NULL), 0);
    pthread_mutex_destroy(&board.lock);
    pthread_barrier_destroy(&board.barrier);
}
#endif
