/* pool.h - the threads that compute: one pool, one job at a time.
 *
 * A job is n tasks and a function. The caller works too, as thread 0; helpers take tasks from a
 * shared counter. A job does not wait for helpers that have not woken up, so a busy machine slows
 * it down by what it loses, never by a whole time slice. Helpers spin for some microseconds after a
 * job and then sleep on a futex. Every thread flushes denormals to zero (MXCSR), so that results do
 * not depend on which thread computed them.
 *
 * Results never depend on the number of threads: tasks write disjoint outputs, and no sum is split
 * between tasks. Scratch grows between jobs, never in one. */
#ifndef HONE_CORE_TENSOR_POOL_H
#define HONE_CORE_TENSOR_POOL_H
#include "base/error.h"
#include "base/fp.h"
#include "hone/ops.h"

typedef struct hone_pool hone_pool;

/* n_threads counts the caller; 0: HONE_THREADS if set, else the processors this process may run on,
 * at most HONE_POOL_MAX. Fails with E_NOMEM, E_RANGE, or E_USAGE for a malformed HONE_THREADS.
 * [control-thread] */
enum { HONE_POOL_MAX = 256 };
hone_status hone_pool_create(uint32_t n_threads, hone_pool **out);
void hone_pool_destroy(hone_pool *p); /* NULL is allowed; no job may be running */
uint32_t hone_pool_threads(const hone_pool *p);

/* The executor ops get. Its shared_scratch is the pool's, unless the caller points it elsewhere in
 * a copy of the struct. Valid until the pool is destroyed or scratch grows. One thread may run jobs
 * at a time. */
const hone_exec *hone_pool_exec(hone_pool *p);

/* At least so many bytes of scratch for each thread, and shared. Contents are not kept. Not while a
 * job runs. */
hone_status hone_pool_reserve(hone_pool *p, size_t thread_bytes, size_t shared_bytes);
#endif
