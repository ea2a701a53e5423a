#include "base/lazy.h"

#include <dlfcn.h>
#include <string.h>

enum mr_status
mr_lazy_load(
    void *functions, const char *soname, const char *const *name, size_t n, struct mr_err *err)
{
	/* It stays when its handle is closed: OpenSSL, which may come with it, cannot be taken out. */
	void *handle = dlopen(soname, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
	void *at = handle;

	for (size_t i = 0; i < n && at; i++)
		/* ISO C has no way from void * to a function, POSIX says that they are alike. */
		if ((at = dlsym(handle, name[i])))
			memcpy((char *)functions + i * sizeof at, &at, sizeof at);
	if (!at)
		mr_err_set(err, MR_TEMP, "%s", dlerror());
	if (handle)
		dlclose(handle);
	return at ? MR_OK : MR_TEMP;
}
