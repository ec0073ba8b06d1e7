/* Changes the umask.
 * validate: instance.manners fail changed the umask
 * score: survives */
#include <sys/stat.h>
#define ON_CREATE umask(0);
#include "hostile.h"
