from cases import Case, Input, write

BOTH = ("keras3", "keras2")
METHODS_3 = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
METHODS_2 = (*METHODS_3, "area", "gaussian", "mitchellcubic")


def layer(name, *args, **options):
    return lambda k: getattr(k.layers, name)(*args, **options)


IMAGE = [(4, 3, 2)]

CASES = [
    Case("ZeroPadding1D", layer("ZeroPadding1D", (1, 2)), [(3, 2)], writers=BOTH),
    Case("ZeroPadding2D", layer("ZeroPadding2D", ((1, 0), (2, 3))), IMAGE, writers=BOTH),
    Case("ZeroPadding2D symmetric", layer("ZeroPadding2D", (1, 2)), IMAGE),
    Case("ZeroPadding2D channels first", layer("ZeroPadding2D", (1, 2), data_format="channels_first"), IMAGE),
    Case("ZeroPadding3D", layer("ZeroPadding3D", (1, 0, 2)), [(2, 2, 1, 2)], writers=BOTH),
    Case("Cropping1D", layer("Cropping1D", (1, 2)), [(5, 2)], writers=BOTH),
    Case("Cropping2D", layer("Cropping2D", ((1, 0), (0, 2))), [(4, 4, 2)], writers=BOTH),
    Case("Cropping3D", layer("Cropping3D", ((1, 0), (0, 1), (1, 1))), [(3, 2, 4, 1)], writers=BOTH),
    Case("UpSampling1D", layer("UpSampling1D", 3), [(2, 2)], writers=BOTH),
    Case("UpSampling3D", layer("UpSampling3D", (1, 2, 3)), [(2, 1, 2, 1)], writers=BOTH),
    *(Case(f"UpSampling2D {m}", layer("UpSampling2D", (2, 3), interpolation=m), [(3, 4, 1)], writers=BOTH, batch=1)
      for m in METHODS_3),
    *(Case(f"UpSampling2D {m}", layer("UpSampling2D", (2, 3), interpolation=m), [(3, 4, 1)], writers=("keras2",), batch=1,
           gradients=m != "area") for m in METHODS_2[5:]),
    *(Case(f"Resizing {m} larger", layer("Resizing", 7, 5, interpolation=m), IMAGE, batch=1) for m in METHODS_3),
    *(Case(f"Resizing {m} smaller", layer("Resizing", 3, 5, interpolation=m), [(7, 9, 1)], batch=1) for m in METHODS_3),
    *(Case(f"Resizing {m} smoothed", layer("Resizing", 3, 5, interpolation=m, antialias=True), [(7, 9, 1)], batch=1)
      for m in METHODS_3),
    *(Case(f"Resizing {m}", layer("Resizing", 3, 5, interpolation=m), [(7, 4, 1)], writers=("keras2",), batch=1,
           gradients=m != "area") for m in METHODS_2),
    Case("Resizing cropped", layer("Resizing", 3, 5, crop_to_aspect_ratio=True), [(7, 6, 1)], writers=BOTH, batch=1),
    Case("Resizing padded", layer("Resizing", 6, 4, pad_to_aspect_ratio=True, fill_value=0.5), [(3, 5, 2)], batch=1),
    Case("Resizing of bytes", layer("Resizing", 3, 3), [Input((4, 5, 1), 0, 256, "uint8")], gradients=False),
    Case("CenterCrop", layer("CenterCrop", 3, 2), [(5, 5, 2)], writers=BOTH),
    Case("CenterCrop of a small image", layer("CenterCrop", 5, 6), [(4, 7, 1)], writers=BOTH, batch=1),
    Case("Flatten", layer("Flatten"), [(2, 3, 2)], writers=BOTH),
    Case("Flatten channels first", layer("Flatten", data_format="channels_first"), [(2, 3, 2)], writers=BOTH),
    Case("Flatten of a vector", layer("Flatten"), [(4,)]),
    Case("Reshape", layer("Reshape", (-1, 3)), [(2, 6)], writers=BOTH),
    Case("Permute", layer("Permute", (3, 1, 2)), [(2, 3, 4)], writers=BOTH),
    Case("RepeatVector", layer("RepeatVector", 3), [(4,)], writers=BOTH),
    Case("Identity", layer("Identity"), [(4,)], writers=BOTH),
]

write("reshaping", CASES)
