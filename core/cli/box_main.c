/* box_main.c - the program hone-box: what nobody trusts runs in here.
 *
 *   hone-box exec PARENT FD FOLDER PROGRAM ...    runs a program under the policy in descriptor FD
 *   hone-box plugin PARENT FD FOLDER              loads and serves a plugin (box_serve.c)
 *   hone-box probe ...                            what namespaces this kernel allows, as its exit status
 *
 * Started by hone alone (sandbox.h); nothing of interest comes by argv or environment. It dies with its
 * parent. Exit status 127: it could not begin, and said why on stderr. */
#include "base/paths.h"
#include "host/box.h"
#include "host/box_proto.h"
#include "lua/recipe.h"
#include "sandbox/sandbox.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifdef HONE_SANITIZED
/* A box may look at no other process, its own threads included: the search for leaks cannot work in it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

int main(int argc, char **argv)
{
    if (argc < 5) {
        fputs("hone-box is started by hone: it runs plugins and programs that nobody trusts\n",
              stderr);
        return 127;
    }
    long parent = strtol(argv[2], NULL, 10);
    int fd = (int)strtol(argv[3], NULL, 10);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != (pid_t)parent)
        return 127; /* it died before we could ask to die with it */
    if (strcmp(argv[1], "probe") == 0)
        return hone__sandbox_main_probe();
    if (strcmp(argv[1], "exec") == 0 && argc > 5)
        return hone__sandbox_main_exec(fd, argv[4], argv + 5);
    hone__box_lua = hone_recipe_boxed;
    (void)hone_paths_lib(); /* found now: inside of the box nobody can look around */
    if (strcmp(argv[1], "plugin") == 0)
        return hone__box_main(fd);
    fprintf(stderr, "hone-box: \"%s\" is nothing it does\n", argv[1]);
    return 127;
}
