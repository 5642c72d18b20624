"""tf.data's rows: windows as scripts for ImageNet on TensorFlow draw them, decoded and cropped by one operation."""

from functools import partial
from glob import glob

import tensorflow as tf

from worker import Pipeline, Task, serve


def pipeline(task: Task, antialias: bool) -> Pipeline:
    tf.config.threading.set_inter_op_parallelism_threads(task.threads)
    tf.config.threading.set_intra_op_parallelism_threads(task.threads)
    files = sorted(glob(f"{task.folder}/train/*/*.jpg"))
    whole = tf.constant([0.0, 0.0, 1.0, 1.0], shape=[1, 1, 4])

    def image_of(path: tf.Tensor) -> tf.Tensor:
        file = tf.io.read_file(path)
        begin, size, _ = tf.image.sample_distorted_bounding_box(
            tf.image.extract_jpeg_shape(file),
            bounding_boxes=whole,
            min_object_covered=0.1,
            aspect_ratio_range=(3 / 4, 4 / 3),
            area_range=(0.08, 1.0),
            max_attempts=100,
            use_image_if_no_bounding_boxes=True,
        )
        window = tf.stack([begin[0], begin[1], size[0], size[1]])
        image = tf.image.decode_and_crop_jpeg(file, window, channels=3)
        image = tf.image.resize(image, [task.size, task.size], antialias=antialias)
        return tf.image.random_flip_left_right(image) / 255.0

    batches = (
        tf.data.Dataset.from_tensor_slices((files, tf.zeros(len(files), tf.int32)))
        .shuffle(len(files))
        .map(lambda path, label: (image_of(path), label), num_parallel_calls=task.threads)
        .batch(task.batch, drop_remainder=True)
        .prefetch(2)
    )

    def run() -> None:
        for _ in batches:
            pass

    return Pipeline(run, {"tensorflow": tf.__version__})


serve({"crop": partial(pipeline, antialias=False), "antialiased": partial(pipeline, antialias=True)})
