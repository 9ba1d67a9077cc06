"""The help of every key in Chinese; the English lines stand under the fields themselves."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

CHINESE: Final = MappingProxyType(
    {
        "model": "Hub 名称、文件夹、config.json 或内置目录中的名称；也可在配方里直接写入 config.json。",
        "method": "训练哪些权重：全部、部分，或在冻结（或量化）权重旁加适配器。",
        "adapter.peft_type": "适配器类型，名称与 PEFT 一致。",
        "adapter.r": "适配器矩阵的秩；LORA 默认为 16。",
        "adapter.lora_alpha": "适配器更新量的缩放系数（再除以秩）；LORA 默认为 32。",
        "adapter.lora_dropout": "适配器输入的丢弃概率；LORA 默认为 0.05。",
        "adapter.target_modules": "在哪些模块上加适配器：all-linear（LORA 的默认值）、名称列表或正则表达式。",
        "adapter.use_dora": "把幅度与方向分开学习（DoRA）。",
        "adapter.use_rslora": "按秩的平方根缩放（rsLoRA）。",
        "adapter.modules_to_save": "与适配器一起完整训练的模块（训练其副本）。",
        "adapter.bias": "哪些偏置也参与训练。",
        "adapter.options": "该类型 PEFT 配置类的其他参数，原样传递。",
        "quantization.bits": "每个权重的存储位数：4 或 8。",
        "quantization.quant_type": "数值格式：4 位用 nf4 或 fp4，8 位用 int8。",
        "quantization.double_quant": "对 4 位量化的缩放系数再量化一次。",
        "quantization.compute_dtype": "做乘法时权重反量化成的类型。",
        "quantization.kbit_preparation": "执行 PEFT 的 prepare_model_for_kbit_training；null：由训练器决定。",
        "freeze.trainable": "参与训练的模块或参数，按名称或通配符指定。",
        "freeze.last_n_layers": "从最后一层往前数，训练多少层。",
        "precision.weights": "加载模型所用的类型。",
        "precision.autocast": "自动混合精度的运算类型；null：关闭。",
        "precision.adapter": "适配器权重的类型；null：由训练器自行决定。",
        "attn_implementation": "注意力的实现；null：由 transformers 选择。",
        "attention_mask": "数据整理器是否向模型传入掩码；null：由训练器自行决定（裸循环不传）。",
        "keep_outputs": "模型的输出是否存活到这一步结束；null：在既无掩码又不裁剪的循环中会。",
        "packing": "把短样本拼成完整的序列。",
        "loss": "如何由 logits 计算损失；null：由训练器自行决定。",
        "optim": "优化器，名称与 transformers 一致。",
        "max_grad_norm": "梯度裁剪的范数上限；null 或 0：不裁剪。",
        "per_device_train_batch_size": "每张卡一次前向传播的序列数。",
        "gradient_accumulation_steps": "优化器更新一次之前的前向与反向次数。",
        "sequence_length": "每个序列的词元数。",
        "gradient_checkpointing": "只保留每层的输入，其余在反向传播时重新计算。",
        "gradient_checkpointing_kwargs": "torch.utils.checkpoint 的参数。",
        "trainer": "trl.SFTTrainer、transformers.Trainer，或纯 PyTorch 循环。",
        "hardware.gpu": "显卡，例如 A100-80GB；null：未指定。",
        "hardware.gpus": "每个节点的显卡数。",
        "hardware.nodes": "同类机器的台数。",
        "hardware.alloc_conf": "运行时 PYTORCH_CUDA_ALLOC_CONF 的值，例如 expandable_segments:True。",
        "sharding": "各卡如何分担参数、梯度与优化器状态。",
        "offload.optimizer": "优化器状态存放在哪里。",
        "offload.parameters": "分片后的参数存放在哪里。",
        "training.learning_rate": "学习率的峰值。",
        "training.num_train_epochs": "遍历数据的轮数。",
        "training.lr_scheduler_type": "学习率在整个训练中的变化方式。",
        "training.warmup_ratio": "学习率上升阶段占总步数的比例。",
        "training.weight_decay": "优化器的权重衰减。",
        "training.seed": "所有随机过程的种子。",
        "training.save_steps": "两次保存检查点之间的优化器步数。",
        "training.eval_steps": "两次评估之间的优化器步数；null：不评估。",
    }
)
"""Dotted key to one line of help."""
