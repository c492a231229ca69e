# What `cmake --install` puts under the prefix, and the .deb made of it. The build tree has the same shape: svd finds its
# engine at ../libexec/svd/engine from its own place, so that a prefix can be moved.
foreach(folder keeper daemon logtool cli)
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/src/${folder}/CMakeLists.txt)
    continue()
  endif()
  get_property(targets DIRECTORY ${PROJECT_SOURCE_DIR}/src/${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    get_target_property(place ${target} RUNTIME_OUTPUT_DIRECTORY)
    if(type STREQUAL "EXECUTABLE" AND place)
      cmake_path(RELATIVE_PATH place BASE_DIRECTORY ${PROJECT_BINARY_DIR})
      install(TARGETS ${target} RUNTIME DESTINATION ${place})
    endif()
  endforeach()
endforeach()

install(DIRECTORY schemas/ DESTINATION share/svd/schemas FILES_MATCHING PATTERN "*.json" PATTERN "*.xml")
install(DIRECTORY contrib/examples/ DESTINATION share/doc/svd/examples PATTERN "__pycache__" EXCLUDE)
install(FILES README.md CHANGELOG.md DESTINATION share/doc/svd)
install(FILES LICENSE DESTINATION share/doc/svd RENAME copyright)
if(EXISTS ${PROJECT_SOURCE_DIR}/contrib/manual)
  install(DIRECTORY contrib/manual/ DESTINATION share/doc/svd/manual FILES_MATCHING PATTERN "*.md")
endif()

# The units name the place they are installed to, which is known only now.
foreach(unit system/svd.service system/svd.socket user/svd.service)
  install(CODE "
    configure_file(\"${PROJECT_SOURCE_DIR}/units/${unit}.in\"
                   \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/${unit}\" @ONLY)")
endforeach()
install(PROGRAMS units/free-cgroup DESTINATION libexec/svd)
install(FILES units/dbus/org.svd1.conf DESTINATION share/dbus-1/system.d)
install(FILES units/dbus/org.svd1.service DESTINATION share/dbus-1/system-services)
install(FILES units/sysusers/svd.conf DESTINATION lib/sysusers.d)
install(FILES units/tmpfiles/svd.conf DESTINATION lib/tmpfiles.d)

# Shell completion comes from the program itself.
if(TARGET svctl AND NOT CMAKE_CROSSCOMPILING)
  foreach(entry bash:share/bash-completion/completions/svctl zsh:share/zsh/site-functions/_svctl
                fish:share/fish/vendor_completions.d/svctl.fish)
    string(REGEX MATCH "^([a-z]+):(.+)/([^/]+)$" _ ${entry})
    install(CODE "
      execute_process(COMMAND \"$<TARGET_FILE:svctl>\" completion ${CMAKE_MATCH_1}
                      OUTPUT_VARIABLE script COMMAND_ERROR_IS_FATAL ANY)
      file(WRITE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_MATCH_2}/${CMAKE_MATCH_3}\" \"\${script}\")")
  endforeach()
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME svd)
set(CPACK_PACKAGE_CONTACT "The svd developers <svd@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_DESCRIPTION "One YAML file says which programs must run, how many of each and how they are restarted.
svd keeps the machine that way; svctl shows and changes it, over D-Bus.")
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    "${PROJECT_SOURCE_DIR}/units/deb/postinst;${PROJECT_SOURCE_DIR}/units/deb/prerm;${PROJECT_SOURCE_DIR}/units/deb/postrm")
set(CPACK_STRIP_FILES ON)
# With DESTDIR the installed files know their real prefix (the units need it).
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
include(CPack)
