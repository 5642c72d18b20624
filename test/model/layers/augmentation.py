from cases import Case, Input, write

BOTH = ("keras3", "keras2")
IMAGE = [Input((4, 5, 3), 0, 255)]


def layer(name, *args, **options):
    return lambda k: getattr(k.layers, name)(*args, **options)


OLD = {
    "RandomBrightness": (0.2,), "RandomContrast": (0.3,), "RandomFlip": (), "RandomRotation": (0.2,),
    "RandomTranslation": (0.2, 0.3), "RandomZoom": (0.2,),
}
NEW = {
    "AugMix": (), "CutMix": (), "MixUp": (), "RandAugment": (), "RandomColorDegeneration": (0.3,),
    "RandomColorJitter": ((0, 255), 0.1, 0.1, 0.1, 0.1), "RandomElasticTransform": (), "RandomErasing": (),
    "RandomGaussianBlur": (), "RandomGrayscale": (), "RandomHue": (0.2,), "RandomInvert": (), "RandomPerspective": (),
    "RandomPosterization": (4,), "RandomSaturation": (0.2,), "RandomSharpness": (0.2,), "RandomShear": (0.2, 0.2),
}

CASES = [
    *(Case(name, layer(name, *options), IMAGE, writers=BOTH, gradients=False) for name, options in OLD.items()),
    *(Case(name, layer(name, *options), IMAGE, gradients=False) for name, options in NEW.items()),
    Case("RandomCrop", layer("RandomCrop", 3, 2), IMAGE, writers=("keras2",), gradients=False),
]

write("augmentation", CASES)
