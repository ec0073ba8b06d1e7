/* paths.c - `hone paths`: where this hone finds its own files. */
#include "base/paths.h"
#include "cli/verbs.h"

#include <stdio.h>

int hone_cli_paths(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("plugins  %s\nlib      %s\nrecipes  %s\nassets   %s\n", hone_paths_plugins(),
           hone_paths_lib(), hone_paths_recipes(), hone_paths_assets());
    return 0;
}
