/* clock.h - time. Nothing that a clock says may reach metrics, weights or rollouts. */
#ifndef HONE_CORE_BASE_CLOCK_H
#define HONE_CORE_BASE_CLOCK_H
#include <pthread.h>
#include <stdint.h>
uint64_t hone_now_ns(void); /* CLOCK_MONOTONIC */
double hone_now_s(void);
uint64_t hone_cpu_ns(void);       /* this thread's CPU time */
void hone_date_utc(char out[16]); /* "20260131-235959" + NUL */
uint64_t hone_peak_rss(void);     /* bytes: VmHWM */
uint64_t hone_rss(void);
/* The number of a line "NAME: 123 ..." of /proc/PID/status, `name` with its colon; -1: no such process or line. pid 0: this
 * process. Memory is in kB.
 * [any-thread] Source: proc_pid_status(5). */
int64_t hone_process_status(int64_t pid, const char *name);
/* The peak begins anew at what is resident now (proc(5), clear_refs). 0: the kernel does not allow it. */
int hone_peak_rss_reset(void);
/* Seconds since this process was started, to a tick of the kernel (10 ms); 0: unknown. */
double hone_process_age_s(void);
/* Waits on a condition made for CLOCK_MONOTONIC, whose lock is held, for so long at most: 1 when that passed, 0 when it was
 * woken, or for no reason. */
int hone_cond_wait_ns(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ns);
#endif
