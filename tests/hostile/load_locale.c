/* Changes the locale while it is loaded.
 * validate: library.manners fail changed the locale
 * score: survives */
#include <locale.h>
#include "hostile.h"
__attribute__((constructor)) static void begin(void)
{
    setlocale(LC_ALL, "C.UTF-8");
}
