#include "check/rules.h"

/* What runs when somebody opens it. */
static const char programs[] =
    "# Windows: programs, scripts, shortcuts, what installs or configures.\n"
    "block ext exe com scr pif cpl dll ocx sys drv vxd fon msi msp mst msix msixbundle appx\n"
    "block ext appxbundle appinstaller application bat cmd btm lnk url scf inf ins isp\n"
    "block ext reg hlp chm hta gadget msc settingcontent-ms library-ms search-ms\n"
    "block ext searchconnector-ms theme themepack deskthemepack diagcab diagcfg diagpkg\n"
    "block ext printerexport website webpnp job jnlp xbap xll wll wiz mde ade adp mad maf mag mam\n"
    "block ext maq mar mas mat mau mav maw mda mdt mdw mdz prf prg pst xnk vsmacros vsw ws sct\n"
    "block ext wsc wsf wsh shb shs shd sys its xcu udl rdp appref-ms 386 fxp grp\n"
    "block ext pcd vbp acm ax efi so dylib ko air xap {*}\n"
    "block ext in=part+archive+text vbs vbe vb js jse ps1 ps1xml ps2 ps2xml psc1 psc2 psd1 psdm1\n"
    "block ext in=part+archive+text psm1 cdxml pssc msh msh1 msh2 mshxml msh1xml msh2xml ksh csh\n"
    "block ext in=part+archive+text jar class applescript scpt scptd command workflow action\n"
    "block ext in=part+archive+text sh bash run desktop py pyc pyo pyw pyz pyzw ahk au3 a3x\n"
    "# Unix, macOS, Android.\n"
    "block ext apk xapk apkm aab dex ipa deb rpm pkg mpkg dmg app appimage snap flatpak elf\n"
    "# Disk images, and archives that nothing here can look into.\n"
    "block ext iso img vhd vhdx vmdk vdi udf nrg daa uif wim esd ace arj\n"
    "block type application/x-msdownload application/x-msdos-program application/x-dosexec\n"
    "block type application/x-exe application/exe application/dos-exe application/x-winexe\n"
    "block type application/msdos-windows application/x-executable application/x-elf\n"
    "block type application/vnd.microsoft.portable-executable application/x-msi\n"
    "block type application/x-ms-installer application/x-ms-shortcut application/hta\n"
    "block type application/x-hta application/x-mach-binary application/x-sharedlib\n"
    "block type application/vnd.android.package-archive application/java-archive\n"
    "block type application/x-java-archive application/x-java-applet application/x-bat\n"
    "block type application/x-msdos-batch application/x-iso9660-image application/x-cd-image\n"
    "block type application/x-apple-diskimage application/x-sh application/x-shellscript\n"
    "block type application/x-powershell application/x-vbs application/vnd.ms-htmlhelp\n"
    "block type application/x-chm application/x-ms-application application/x-ms-xbap\n"
    "block type application/x-java-jnlp-file application/x-debian-package application/x-rpm\n"
    "block type application/vnd.debian.binary-package application/x-mswinurl\n"
    "block type application/internet-shortcut text/vbscript text/x-vbscript text/x-msdos-batch\n"
    "block type text/scriptlet text/javascript application/javascript application/x-javascript\n"
    "block type message/partial\n"
    "block content pe ne dos elf macho java android dex disk help installer package-unix shortcut\n"
    "block content opaque\n"
    "block content in=part+archive+text script batch vbs js powershell registry hta wsf inf query\n"
    "block content in=part+archive+text wasm\n"
    "block limit depth parts header boundaries names members expansion encrypted overlap\n"
    "tag limit unreadable\n";

/* What runs when somebody opens a document and agrees to something. */
static const char macros[] =
    "block ext docm dotm xlsm xltm xlam xlm pptm potm ppam ppsm sldm one onepkg slk iqy dqy rqy "
    "oqy\n"
    "block type application/vnd.ms-word.document.macroenabled.12\n"
    "block type application/vnd.ms-word.template.macroenabled.12\n"
    "block type application/vnd.ms-excel.sheet.macroenabled.12\n"
    "block type application/vnd.ms-excel.template.macroenabled.12\n"
    "block type application/vnd.ms-excel.addin.macroenabled.12\n"
    "block type application/vnd.ms-powerpoint.*.macroenabled.12 application/onenote\n"
    "block content macro package smuggling onenote launch\n";

struct mr_str
mr_rules_builtin(struct mr_str name)
{
	if (mr_str_is(name, "programs"))
		return mr_str(programs);
	return mr_str_is(name, "macros") ? mr_str(macros) : (struct mr_str){ NULL, 0 };
}
