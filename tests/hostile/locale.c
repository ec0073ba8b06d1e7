/* Changes the locale.
 * validate: instance.manners fail changed the locale
 * score: survives */
#include <locale.h>
#define ON_CREATE setlocale(LC_ALL, "C.UTF-8");
#include "hostile.h"
