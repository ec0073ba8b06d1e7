/* sandbox_count.h - counting the processes of a box without control groups; between the files of core/sandbox.
 *
 * In the box, before its other filters: hone__count_begin. In its supervisor: hone__count_serve until the child has died. */
#ifndef HONE_CORE_SANDBOX_SANDBOX_COUNT_H
#define HONE_CORE_SANDBOX_SANDBOX_COUNT_H
#include "base/error.h"

#include <sys/types.h>

/* Every clone of this process and what it starts asks from now on; who answers holds the other end of `sock`, which is
 * closed. E_REFUSED where the kernel cannot ask. */
hone_status hone__count_begin(int sock);
/* /proc as it is now, whatever is mounted over it later; -1 where there is none. */
int hone__count_proc(void);
/* Answers until `child` has died (and is not reaped yet): at most `most` processes below this one at once, `own` of them
 * not counted. */
void hone__count_serve(int sock, int proc, pid_t child, long most, long own);
/* Without a control group: by the limit of a user, or by asking. */
int hone__count_possible(void);
/* Ends all below this process but that one, also what was left behind by its parent. */
void hone__count_kill(int proc, pid_t but);
/* Processes and threads that this user has now. */
long hone__count_of_user(void);
#endif
